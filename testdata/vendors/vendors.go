// Package vendors makes the sample vendors: git repositories with fixed commit ids and signed commits, and releases of
// them, honest and hostile, each really built with the Go toolchain that it says.
//
// Every hostile release is one way in which a vendor could try to be told "passed". What a verification of each must
// answer is written to expected.json beside them. The programs are inert: the only host that a hostile one names ends
// in .invalid.
package vendors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Toolchain is the Go toolchain that every release is built with, unless its row says otherwise.
const Toolchain = "go1.26.5"

// Options say what Make makes.
type Options struct {
	Only []string // names of releases; none means all
	Keep bool     // leave the work folders of the builds behind
}

// Make writes the repositories, the keys, the releases and expected.json into dir, which must not exist or be empty.
func Make(ctx context.Context, dir string, opt Options) (*Expected, error) {
	for _, name := range opt.Only {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("%s: no such release; there are %s", name, strings.Join(Names(), " "))
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s: not empty", dir)
	}
	m, err := newMaker(ctx, dir)
	if err != nil {
		return nil, err
	}
	if !opt.Keep {
		defer os.RemoveAll(m.work)
	}
	if err := m.writeKeys(); err != nil {
		return nil, err
	}
	for _, folder := range []string{"recipes", "policies"} {
		files, err := m.readTree(folder)
		if err != nil {
			return nil, err
		}
		if err := writeFiles(filepath.Join(dir, folder), files); err != nil {
			return nil, err
		}
	}
	if _, err := m.repo("repo"); err != nil {
		return nil, err
	}
	for _, r := range releases {
		if len(opt.Only) > 0 && !slices.Contains(opt.Only, r.name) {
			continue
		}
		if err := m.release(r); err != nil {
			return nil, fmt.Errorf("release %s: %w", r.name, err)
		}
	}
	return &m.expected, m.expected.write(filepath.Join(dir, "expected.json"))
}

// Names returns the names of every release in the order of expected.json.
func Names() []string {
	var names []string
	for _, r := range releases {
		names = append(names, r.name)
	}
	return names
}

// maker is one run of Make.
type maker struct {
	ctx      context.Context
	dir      string // where everything is written
	work     string // clones and build folders, removed at the end
	source   string // this folder
	goEnv    []string
	goproxy  string // as the user's Go is configured
	keys     map[string]*key
	repos    map[string]*repo
	outputs  map[string]string // what was built already, by the name that build gave it
	expected Expected
}

func newMaker(ctx context.Context, dir string) (*maker, error) {
	source, err := sourceDir()
	if err != nil {
		return nil, err
	}
	m := &maker{
		ctx: ctx, dir: dir, source: source, work: filepath.Join(dir, ".work"),
		repos: map[string]*repo{}, outputs: map[string]string{},
		expected: Expected{Format: 1, Toolchain: Toolchain, Repos: map[string]Repo{}},
	}
	if err := os.MkdirAll(m.work, 0o755); err != nil {
		return nil, err
	}
	if m.keys, err = readKeys(filepath.Join(source, "keys")); err != nil {
		return nil, err
	}
	return m, m.readGoEnv()
}

// sourceDir finds this folder: where it was compiled from, or below the module that the working directory is in.
func sourceDir() (string, error) {
	isSource := func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "kestrel", "go.mod"))
		return err == nil
	}
	if _, file, _, ok := runtime.Caller(0); ok && isSource(filepath.Dir(file)) {
		return filepath.Dir(file), nil
	}
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if dir := filepath.Join(at, "testdata", "vendors"); isSource(dir) {
			return dir, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("testdata/vendors: not found above the working directory")
		}
		at = up
	}
}

// tree is the content of a commit: path to file.
type tree map[string][]byte

// readTree reads every file below a folder of this package; "dot-" at the start of a name stands for "." so that the
// file has no meaning to the git that keeps this folder.
func (m *maker) readTree(name string) (tree, error) {
	root := filepath.Join(m.source, filepath.FromSlash(name))
	t := tree{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		dir, base := filepath.Split(rel)
		if rest, ok := strings.CutPrefix(base, "dot-"); ok {
			base = "." + rest
		}
		t[filepath.ToSlash(filepath.Join(dir, base))], err = os.ReadFile(path)
		return err
	})
	return t, err
}

// with returns t and the files of others laid over it.
func (t tree) with(others ...tree) tree {
	all := tree{}
	for _, one := range append([]tree{t}, others...) {
		for path, data := range one {
			all[path] = data
		}
	}
	return all
}

// without returns t less every path that equals one of the names or lies below it.
func (t tree) without(names ...string) tree {
	rest := tree{}
	for path, data := range t {
		if !slices.ContainsFunc(names, func(n string) bool { return path == n || strings.HasPrefix(path, n+"/") }) {
			rest[path] = data
		}
	}
	return rest
}

// DemoNames returns the names of the releases that show each kind of verdict once.
func DemoNames() []string {
	var names []string
	for _, r := range releases {
		if r.demo {
			names = append(names, r.name)
		}
	}
	return names
}

// WholeNames returns the names of the releases of several files.
func WholeNames() []string {
	var names []string
	for _, r := range wholes {
		names = append(names, r.name)
	}
	return names
}
