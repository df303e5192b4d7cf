package vendors

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// FlockOptions say how MakeFlock makes the vendors that build with a whole system: compilers, interpreters, packagers.
type FlockOptions struct {
	Only    []string // names of releases; none means all
	Program string   // glassbuild, which locks the builders and builds what is shipped; default "glassbuild"
	Host    bool     // build with this machine's own tools, where a vendor can: nothing is fetched, and nobody vouches
	Env     []string // the program's environment; nil is this process's own
	Keep    bool     // leave the work folders behind
}

// MakeFlock writes the repositories, releases and expected.json of the vendors beside Kestrel into dir, which must not
// exist or be empty. What is shipped, honest or not, is really built from source in the builder that the recipe names; its
// packages come from where this system's apt gets its own.
func MakeFlock(ctx context.Context, dir string, opt FlockOptions) (*Expected, error) {
	for _, name := range opt.Only {
		if !slices.Contains(FlockNames(opt.Host), name) {
			return nil, fmt.Errorf("%s: no such release; there are %s", name, strings.Join(FlockNames(opt.Host), " "))
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s: not empty", dir)
	}
	source, err := sourceDir()
	if err != nil {
		return nil, err
	}
	f := &flock{
		maker: &maker{ctx: ctx, dir: dir, source: source, work: filepath.Join(dir, ".work"),
			expected: Expected{Format: 1, Repos: map[string]Repo{}}},
		opt: opt, made: map[string]*flockRepo{}, locks: map[string][]byte{}, built: map[string]string{},
	}
	if f.opt.Program == "" {
		f.opt.Program = "glassbuild"
	}
	if err := os.MkdirAll(f.work, 0o755); err != nil {
		return nil, err
	}
	if f.keys, err = readKeys(filepath.Join(source, "keys")); err != nil {
		return nil, err
	}
	if !opt.Keep {
		defer os.RemoveAll(f.work)
	}
	if err := errors.Join(f.writeKeys(), f.copyFolder("recipes"), f.copyFolder("policies")); err != nil {
		return nil, err
	}
	for _, r := range flockReleases {
		if opt.Host && !r.onHost() || len(opt.Only) > 0 && !slices.Contains(opt.Only, r.name) {
			continue
		}
		if err := f.ship(r); err != nil {
			return nil, fmt.Errorf("release %s: %w", r.name, err)
		}
	}
	return &f.expected, f.expected.write(filepath.Join(dir, "expected.json"))
}

// FlockNames returns the names of the releases in their order; on the host not every vendor can build.
func FlockNames(host bool) []string {
	var names []string
	for _, r := range flockReleases {
		if !host || r.onHost() {
			names = append(names, r.name)
		}
	}
	return names
}

// FlockTable returns what every release must be answered, without making any: the rows of expected.json less what is known
// only then.
func FlockTable() []Release {
	var table []Release
	for _, r := range flockReleases {
		table = append(table, r.answer(false))
	}
	return table
}

// flockRelease is one artefact of such a vendor.
type flockRelease struct {
	name, row, about string
	vendor           string // the folder of its source
	repo             string // the change that lies at the commit for everybody to see; "" is none, an honest repository
	from             string // the change that the shipped file was really built with; "" is repo's
	file             string // the artefact's name below the build's outputs
	inRelease        string // the folder below releases; default name
	policy           string // name of a policy; "" is the built-in one
	alter            func([]byte) ([]byte, error)
	says             string // what the check that decides must name
	want             want
}

// onHost tells whether the release can be made with the host's own tools.
func (r flockRelease) onHost() bool {
	return r.vendor == "harrier" || r.vendor == "merlin" && r.file == "merlin-sum"
}

// answer is what a verification must say: with the host's tools nobody vouches, and what is read is
// not traced.
func (r flockRelease) answer(host bool) Release {
	w := r.want
	says := r.says
	if host && (w.result == verdict.Passed || w.check == verdict.CheckAccount) {
		w, says = want{verdict.Inconclusive, w.match, verdict.CheckVouched}, ""
	}
	return Release{Name: r.name, About: r.about, Row: r.row,
		Result: string(w.result), Match: string(w.match), Exit: exit(w.result), Check: w.check, Says: says}
}

// flock is one run of MakeFlock.
type flock struct {
	*maker
	opt   FlockOptions
	made  map[string]*flockRepo
	locks map[string][]byte // by vendor
	built map[string]string // folder of outputs, by the repository's key
}

// flockRepo is a repository whose last commit is the released one.
type flockRepo struct {
	*repo
	commit string
}

func (f *flock) copyFolder(name string) error {
	files, err := f.readTree(name)
	if err != nil {
		return err
	}
	return writeFiles(filepath.Join(f.dir, name), files)
}

// ship makes one release and its row.
func (f *flock) ship(r flockRelease) error {
	shown, err := f.repository(r.vendor, r.repo, true)
	if err != nil {
		return err
	}
	from, public := r.from, false
	if from == "" {
		from, public = r.repo, true
	}
	out, err := f.outputs(r.vendor, from, public)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(out, r.file))
	if os.IsNotExist(err) { // the runs differ: the vendor ships what the first one gave
		data, err = os.ReadFile(filepath.Join(out, "run-1", r.file))
	}
	if err != nil {
		return err
	}
	if r.alter != nil {
		if data, err = r.alter(data); err != nil {
			return err
		}
	}
	folder := r.inRelease
	if folder == "" {
		folder = r.name
	}
	path, err := f.maker.ship(folder, r.file, data, 0o644)
	if err != nil {
		return err
	}
	row := r.answer(f.opt.Host)
	args := []string{path, "--repo", shown.name, "--commit", shown.commit}
	if f.opt.Host {
		args = append(args, "--recipe", "recipes/"+r.vendor+"-host.toml")
	}
	if r.policy != "" {
		args = append(args, "--policy", "policies/"+r.policy+".toml")
	}
	row.Artefact, row.Args = path, args
	f.expected.Releases = append(f.expected.Releases, row)
	return nil
}

// repository makes the repository of a vendor, with one of the changes in its last commit. One that is not public lies
// where nobody is told of it: what was really built.
func (f *flock) repository(vendor, change string, public bool) (*flockRepo, error) {
	name := vendor
	if change != "" {
		name += "-" + change
	}
	if !public {
		name = ".work/" + name
	}
	if r, ok := f.made[name]; ok {
		return r, nil
	}
	files, err := f.readTree(vendor)
	if err != nil {
		return nil, err
	}
	made, err := f.newRepo(name)
	if err != nil {
		return nil, err
	}
	r := &flockRepo{repo: made}
	if r.commit, err = r.repo.commit(changeOf(files, f.keys["maintainer"], day(5, 4), "The release to be\n")); err != nil {
		return nil, err
	}
	if err := r.branch("main", r.commit); err != nil {
		return nil, err
	}
	if !f.opt.Host {
		lock, err := f.lock(vendor, r)
		if err != nil {
			return nil, err
		}
		files = files.with(tree{"glassbuild.lock": lock})
	}
	if change != "" {
		if err := flockChanges()[change](f, files); err != nil {
			return nil, fmt.Errorf("%s: %w", change, err)
		}
	}
	last := changeOf(files, f.keys["release"], day(5, 11), "Release\n")
	last.parents = []string{r.commit}
	if r.commit, err = r.repo.commit(last); err != nil {
		return nil, err
	}
	if err := errors.Join(r.branch("main", r.commit), r.tag("v"+flockVersion[vendor], r.commit, f.keys["release"], day(5, 11).Add(time.Hour))); err != nil {
		return nil, err
	}
	f.made[name] = r
	if public {
		f.expected.Repos[name] = r.file
	}
	return r, nil
}

func changeOf(files tree, by *key, when time.Time, message string) change {
	return change{files: files, by: by, sign: true, when: when, message: message}
}

// lock chooses the builder's packages once for each vendor: no change touches the recipe.
func (f *flock) lock(vendor string, r *flockRepo) ([]byte, error) {
	if data, ok := f.locks[vendor]; ok {
		return data, nil
	}
	file := filepath.Join(f.work, vendor+".lock")
	if err := f.glassbuild("lock", "--repo", r.dir, "--commit", r.commit, "-o", file); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	f.locks[vendor] = data
	return data, err
}

// outputs builds a vendor's repository and returns the folder of what came out.
func (f *flock) outputs(vendor, change string, public bool) (string, error) {
	r, err := f.repository(vendor, change, public)
	if err != nil {
		return "", err
	}
	if out, ok := f.built[r.name]; ok {
		return out, nil
	}
	out := filepath.Join(f.work, "out-"+filepath.Base(r.name))
	args := []string{"build", "--repo", r.dir, "--commit", r.commit, "--out", out}
	if f.opt.Host {
		args = append(args, "--recipe", filepath.Join(f.dir, "recipes", vendor+"-host.toml"))
	}
	err = f.glassbuild(args...)
	if _, differ := os.Stat(filepath.Join(out, "run-1")); err != nil && differ != nil {
		return "", err
	}
	f.built[r.name] = out
	return out, nil
}

func (f *flock) glassbuild(args ...string) error {
	cmd := exec.CommandContext(f.ctx, f.opt.Program, args...)
	cmd.Dir, cmd.Env = f.work, f.opt.Env
	_, err := run(cmd)
	return err
}
