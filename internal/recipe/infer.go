package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe/gobinary"
)

// Binary is one file that was shipped, or a member of it.
type Binary struct {
	Member string // where it sits in what was shipped; "" for the shipped file itself
	Name   string // its name for people and for the output; the base name of Member by default
	Reader io.ReaderAt
	Size   int64
}

// Tag is a tag that is merged into the commit.
type Tag struct {
	Name     string
	AtCommit bool // it points at the commit itself
}

// Inference is what a recipe is inferred from: what was shipped, and the commit that it must agree with.
type Inference struct {
	Binaries []Binary
	Commit   string                                         // full id
	When     int64                                          // committer time of the commit, Unix seconds
	Zone     string                                         // committer's zone, such as "+0200"; may be empty
	Tags     []Tag                                          // every tag merged into the commit
	ReadFile func(path string, limit int64) ([]byte, error) // reads a file of the commit; a missing one is fs.ErrNotExist
	Allow    []string                                       // texts of Refused that the policy lists: they are taken after all

	Package *Package                 // the tarball of the npm registry that was shipped; nil when it is none
	Tree    func() ([]string, error) // the paths of every file of the commit
	Base    Builder                  // what Node.js stands on: a base and nothing else
	BaseWhy string
}

// Inferred is a recipe that the shipped binaries asked for.
type Inferred struct {
	Recipe *Recipe
	// Alternatives are recipes that differ from Recipe only in how -ldflags is spelled (-s implies -w). With -trimpath
	// the build info leaves it out, but it is hashed into the build id: when a rebuild differs in nothing but the build
	// id, one of these may be what was run.
	Alternatives []*Recipe
	Commit       string // the commit that the binaries name; "" when they name none
	Lines        []Line // the recipe line by line, with who chose what
	// Unknown says what neither build info nor file tell. It explains a difference; it takes nothing from a match.
	Unknown []string
	// Refused is what the binaries ask for beyond the closed list, one setting each. It is not in the recipe: a verdict
	// that rests on such a recipe is inconclusive unless the policy lists every entry, see Inference.Allow.
	Refused []string
	// Contradictions are statements of the build info that the commit disproves: the verdict is failed.
	Contradictions []string
	Skipped        []string // members that are no Go binaries with build info
}

// ClaimedCommit returns the commit that the binaries say they were built from: "" when they say nothing. It is needed
// before the commit can be opened, and it is only a claim.
func ClaimedCommit(ctx context.Context, binaries []Binary) (string, error) {
	claimed, by := "", ""
	for _, b := range binaries {
		info, err := gobinary.Read(ctx, b.Reader, b.Size)
		if errors.Is(err, gobinary.ErrNoBuildInfo) {
			continue
		}
		if err != nil {
			return "", err
		}
		revision, ok := info.Get("vcs.revision")
		if !ok {
			continue
		}
		if !fullID.MatchString(revision) {
			return "", fault.Failf(fault.Quote(b.name()), "vcs.revision %s is not a full commit id", fault.Quote(revision))
		}
		if claimed != "" && claimed != revision {
			return "", fault.Inconclusivef(fault.Quote(b.name()), "names commit %s, but %s names %s", revision, fault.Quote(by), claimed).
				WithHint("choose one with --member, or name the commit with --commit")
		}
		claimed, by = revision, b.name()
	}
	return claimed, nil
}

func (b *Binary) name() string {
	if b.Name != "" {
		return b.Name
	}
	if b.Member != "" {
		return path.Base(b.Member)
	}
	return "artefact"
}

// inferrer carries one inference.
type inferrer struct {
	in  Inference
	out *Inferred
	why map[string]reason // who chose a line, by its path
}

type reason struct {
	by  Chooser
	why string
}

// build is how one binary is to be built.
type build struct {
	info   *gobinary.Info
	goVer  string // "1.26.5"
	trim   bool   // with -trimpath
	dir    string // the module's directory in the commit
	flags  []string
	spell  [][]string // other spellings of flags, see Inferred.Alternatives
	env    map[string]string
	vcs    VCS
	fetch  bool
	output string
	binary Binary
}

// Infer derives a recipe from Go binaries. It returns an inconclusive error when they were built in a way that no recipe
// of this form expresses.
func Infer(ctx context.Context, in Inference) (*Inferred, error) {
	f := &inferrer{in: in, out: &Inferred{}, why: map[string]reason{}}
	var builds []*build
	for _, b := range in.Binaries {
		info, err := gobinary.Read(ctx, b.Reader, b.Size)
		if errors.Is(err, gobinary.ErrNoBuildInfo) {
			f.out.Skipped = append(f.out.Skipped, b.name())
			continue
		}
		if err != nil {
			return nil, err
		}
		plan, err := f.plan(b, info)
		if err != nil {
			return nil, err
		}
		builds = append(builds, plan)
	}
	if len(builds) == 0 && in.Package != nil {
		return inferPackage(in)
	}
	if len(builds) == 0 {
		return nil, fault.Inconclusivef("recipe", "nothing shipped is a Go binary with build info, nor a package of npm").
			WithHint("write a %s and name it with --recipe", FileName)
	}
	if err := f.assemble(builds); err != nil {
		return nil, err
	}
	slices.Sort(f.out.Unknown)
	f.out.Unknown = slices.Compact(f.out.Unknown)
	slices.Sort(f.out.Refused)
	f.out.Refused = slices.Compact(f.out.Refused)
	slices.Sort(f.out.Contradictions)
	f.out.Contradictions = slices.Compact(f.out.Contradictions)
	return f.out, nil
}

// plan decides how one binary is built.
func (f *inferrer) plan(b Binary, info *gobinary.Info) (*build, error) {
	p := &build{info: info, binary: b, env: map[string]string{}}
	for _, step := range []func(*build) error{f.toolchain, f.module, f.settings, f.repository, f.dependencies, f.shape} {
		if err := step(p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (f *inferrer) inconclusive(p *build, format string, args ...any) *fault.Error {
	return fault.Inconclusivef(fault.Quote(p.binary.name()), format, args...).
		WithHint("write a %s that says how it was built, and name it with --recipe", FileName)
}

func (f *inferrer) unknown(format string, args ...any) {
	f.out.Unknown = append(f.out.Unknown, fmt.Sprintf(format, args...))
}

func (f *inferrer) contradiction(p *build, format string, args ...any) {
	f.out.Contradictions = append(f.out.Contradictions, fault.Quote(p.binary.name())+": "+fmt.Sprintf(format, args...))
}

// refuse records a setting that only the policy can allow. It returns whether the policy does.
func (f *inferrer) refuse(text string) bool {
	if slices.Contains(f.in.Allow, text) {
		return true
	}
	f.out.Refused = append(f.out.Refused, text)
	return false
}

// assemble joins the builds into one recipe.
func (f *inferrer) assemble(builds []*build) error {
	first := builds[0]
	r := &Recipe{Builder: Builder{Go: first.goVer}, Source: Source{Attributes: Raw}, VCS: first.vcs, Env: sharedEnv(builds)}
	f.say("builder.go", Artefact, "the Go version in its build info")
	f.say("source.attributes", BuiltIn, "")
	for _, b := range builds {
		if b.goVer != first.goVer {
			return f.inconclusive(b, "was built with Go %s, but %s with Go %s: one recipe names one toolchain", b.goVer, fault.Quote(first.binary.name()), first.goVer)
		}
		if b.vcs != first.vcs {
			return f.inconclusive(b, "saw another state of the repository than %s", fault.Quote(first.binary.name()))
		}
		if goos, _ := b.info.Get("GOOS"); b.info.Cgo && goos != "" && goos != "linux" {
			return fault.Inconclusivef("builder", "no builder for %s with a C compiler: %s was linked with C", fault.Quote(goos), fault.Quote(b.binary.name())).
				WithCheck("builder.available").WithHint("such a program needs the system's own tools, which no builder holds")
		}
		if b.info.Cgo {
			r.Builder.Host = true
			f.say("builder.host", Artefact, "it was linked with C, and no pinned C compiler is known")
		}
	}
	for name := range r.Env {
		f.say("env."+name, Artefact, "its build info")
	}
	outputs := map[string]int{}
	for _, b := range builds {
		b.output = outputName(b, outputs)
		f.addStep(r, b)
	}
	f.finish(r)
	return check(r, func(at, format string, args ...any) *fault.Error {
		return fault.Inconclusivef("inferred recipe, "+fault.Quote(at), format, args...)
	})
}

func (f *inferrer) addStep(r *Recipe, b *build) {
	own := maps.Clone(b.env)
	maps.DeleteFunc(own, func(name, _ string) bool { _, shared := r.Env[name]; return shared })
	if len(own) == 0 {
		own = nil
	}
	download := Step{Run: Argv{"go", "mod", "download"}, Dir: b.dir}
	if b.fetch && !slices.ContainsFunc(r.Fetch, func(s Step) bool { return s.Dir == b.dir }) {
		f.say(stepPath(true, len(r.Fetch))+".run", BuiltIn, "its build info lists dependencies with checksums")
		f.say(stepPath(true, len(r.Fetch))+".dir", Artefact, "the directory of its module")
		r.Fetch = append(r.Fetch, download)
	}
	at := stepPath(false, len(r.Steps))
	f.say(at+".run", Artefact, "its build info, and what the file shows")
	f.say(at+".dir", Artefact, "the directory of its module")
	for name := range own {
		f.say(at+".env."+name, Artefact, "its build info")
	}
	r.Steps = append(r.Steps, Step{Run: b.argv(b.flags), Dir: b.dir, Env: own})
	f.say(fmt.Sprintf("artifact[%d].output", len(r.Artifacts)), BuiltIn, "")
	f.say(fmt.Sprintf("artifact[%d].member", len(r.Artifacts)), Artefact, "where it sits in what was shipped")
	r.Artifacts = append(r.Artifacts, Artifact{Output: b.output, Member: b.binary.Member})
	f.alternatives(len(r.Steps)-1, b)
}

func (b *build) argv(flags []string) Argv {
	pkg := "."
	if b.info.Path != b.info.Main.Path {
		pkg = "./" + strings.TrimPrefix(b.info.Path, b.info.Main.Path+"/")
	}
	argv := append(Argv{"go", "build"}, flags...)
	return append(argv, "-o", OutputDir+"/"+b.output, pkg)
}

// alternatives remembers the other spellings of one step; finish makes recipes of them.
func (f *inferrer) alternatives(step int, b *build) {
	for i, flags := range b.spell {
		for len(f.out.Alternatives) <= i {
			f.out.Alternatives = append(f.out.Alternatives, &Recipe{})
		}
		alt := f.out.Alternatives[i]
		for len(alt.Steps) < step {
			alt.Steps = append(alt.Steps, Step{})
		}
		alt.Steps = append(alt.Steps, Step{Run: b.argv(flags)})
	}
}

// finish computes digests and lines, and completes the alternatives.
func (f *inferrer) finish(r *Recipe) {
	r.Digest = digest(r.TOML())
	f.out.Recipe = r
	for i, alt := range f.out.Alternatives {
		full := *r
		full.Steps = slices.Clone(r.Steps)
		for j, s := range alt.Steps {
			if len(s.Run) > 0 {
				full.Steps[j].Run = s.Run
			}
		}
		full.Digest = digest(full.TOML())
		f.out.Alternatives[i] = &full
	}
	f.out.Lines = r.lines()
	for i := range f.out.Lines {
		l := &f.out.Lines[i]
		if l.path == "" {
			continue
		}
		l.ChosenBy = BuiltIn
		if why, ok := f.why[l.path]; ok {
			l.ChosenBy, l.Why = why.by, why.why
		}
	}
}

func (f *inferrer) say(path string, by Chooser, why string) { f.why[path] = reason{by, why} }

// sharedEnv returns the variables that every build sets to the same value.
func sharedEnv(builds []*build) map[string]string {
	shared := maps.Clone(builds[0].env)
	for _, b := range builds[1:] {
		maps.DeleteFunc(shared, func(name, value string) bool { return b.env[name] != value })
	}
	if len(shared) == 0 {
		return nil
	}
	return shared
}

// outputName makes a file name of the shipped one that no other output has.
func outputName(b *build, seen map[string]int) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, path.Base(b.binary.name()))
	if name = strings.TrimLeft(name, ".-"); name == "" {
		name = "artefact"
	}
	seen[name]++
	if n := seen[name]; n > 1 {
		name = fmt.Sprintf("%d-%s", n, name)
	}
	return name
}

// TOML returns the recipe with a comment above every line that somebody or something chose. It parses to the same recipe.
func (i *Inferred) TOML() []byte {
	var b bytes.Buffer
	last := ""
	for _, l := range i.Lines {
		comment := ""
		if l.ChosenBy == Artefact {
			comment = "# chosen by the " + string(l.ChosenBy)
			if l.Why != "" {
				comment += ": " + l.Why
			}
			comment += "\n"
		}
		if comment != last {
			b.WriteString(comment)
		}
		if last = comment; l.Text == "" {
			last = ""
		}
		b.WriteString(l.Text + "\n")
	}
	notes := func(title string, list []string) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n# %s\n", title)
		for _, s := range list {
			fmt.Fprintf(&b, "#   %s\n", fault.Quote(s))
		}
	}
	notes("What cannot be known:", i.Unknown)
	notes("What the artefact asks for and this recipe does not contain:", i.Refused)
	notes("What the commit disproves:", i.Contradictions)
	return b.Bytes()
}
