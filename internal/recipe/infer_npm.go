package recipe

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Package is a shipped tarball of the npm registry, as it says of itself.
type Package struct {
	Output  string   // name of the file
	JSON    []byte   // its package.json
	Members []string // paths below its one folder
	System  byte     // the operating system in the gzip header (RFC 1952, section 2.3.1)

	// What it was packed with. By says who says so; Nobody leaves it to this program.
	Node, NPM string
	By        Chooser
}

// GzipUnknown is the system that npm from version 7 on writes, on every machine.
const GzipUnknown = 255

// toolLine is one line of Node.js and the npm that packs with it.
type toolLine struct {
	node, npm   string
	from, until int64 // when it was maintained (https://github.com/nodejs/release), Unix seconds
	portable    bool  // npm writes the same gzip header on every machine
}

// toolLines are the last releases of the lines that packages were published with.
var toolLines = []toolLine{
	{"10.24.1", "6.14.18", 1524528000, 1619740800, false},
	{"12.22.12", "6.14.18", 1555977600, 1651276800, false},
	{"14.21.3", "6.14.18", 1587427200, 1682812800, false},
	{"16.20.2", "9.8.1", 1618876800, 1694390400, true},
	{"18.20.8", "10.8.2", 1650326400, 1745971200, true},
	{"20.20.2", "11.19.1", 1681776000, 1777507200, true},
	{"22.22.0", "11.19.1", 1713916800, 1809043200, true},
}

// linesFor orders the lines that could have packed p: those that were maintained when the commit was made, oldest first, then what
// was older, newest first. Which one it was shows in the compressed bytes alone.
func linesFor(p *Package, when int64) []toolLine {
	var current, older []toolLine
	for _, l := range toolLines {
		switch {
		case l.portable != (p.System == GzipUnknown) || when < l.from:
		case when <= l.until:
			current = append(current, l)
		default:
			older = append(older, l)
		}
	}
	slices.Reverse(older)
	return append(current, older...)
}

// manifest is what a package.json says that matters for packing it.
type manifest struct {
	name, version string
	directory     string // repository.directory
	scripts       map[string]string
	depends       bool // it names packages that it needs
}

func parseManifest(data []byte) (*manifest, error) {
	var doc map[string]json.RawMessage // exact keys: struct fields would also match other letter case
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(data), "\ufeff")), &doc); err != nil {
		return nil, err
	}
	m := &manifest{scripts: map[string]string{}}
	if err := json.Unmarshal(doc["name"], &m.name); err != nil || m.name == "" {
		return nil, errors.New("has no name")
	}
	if err := json.Unmarshal(doc["version"], &m.version); err != nil {
		m.version = ""
	}
	var repository map[string]json.RawMessage
	if json.Unmarshal(doc["repository"], &repository) == nil {
		_ = json.Unmarshal(repository["directory"], &m.directory) // a repository can be a string
	}
	if doc["scripts"] != nil {
		if err := json.Unmarshal(doc["scripts"], &m.scripts); err != nil {
			return nil, errors.New("its scripts are no texts")
		}
	}
	for _, kind := range []string{"dependencies", "devDependencies", "optionalDependencies", "peerDependencies"} {
		var list map[string]json.RawMessage
		if json.Unmarshal(doc[kind], &list) == nil && len(list) > 0 {
			m.depends = true
		}
	}
	return m, nil
}

// npmInferrer carries the inference of one package.
type npmInferrer struct {
	inferrer
	pkg   *Package
	tree  map[string]bool
	dir   string // of the package in the commit
	lock  string // folder of the package lock; "" when there is none
	at    *manifest
	build bool // something shipped is not in the commit
}

// inferPackage derives a recipe for a tarball of the npm registry: pack the package's folder, and before that, where something shipped is not
// in the commit, install what the lock names and run the script that builds. Nothing of the tarball but its name, version and
// list of files is used; the scripts are those of the commit.
func inferPackage(in Inference) (*Inferred, error) {
	f := &npmInferrer{inferrer: inferrer{in: in, out: &Inferred{}, why: map[string]reason{}}, pkg: in.Package, tree: map[string]bool{}}
	paths, err := in.Tree()
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		f.tree[p] = true
	}
	if err := f.find(); err != nil {
		return nil, err
	}
	f.findLock()
	for _, m := range f.pkg.Members {
		if !f.tree[path.Join(f.dir, m)] {
			f.build = true
		}
	}
	r := &Recipe{Source: Source{Attributes: Raw}, VCS: VCS{Stamp: true, Tags: AllTags}}
	f.say("source.attributes", BuiltIn, "")
	if err := f.tools(r); err != nil {
		return nil, err
	}
	if err := f.steps(r); err != nil {
		return nil, err
	}
	f.finish(r)
	return f.out, check(r, func(at, format string, args ...any) *fault.Error {
		return fault.Inconclusivef("inferred recipe, "+fault.Quote(at), format, args...)
	})
}

func (f *npmInferrer) unclear(format string, args ...any) *fault.Error {
	return fault.Inconclusivef(fault.Quote(f.pkg.Output), format, args...).WithHint("write a %s that says how it was built, and name it with --recipe", FileName)
}

// find finds the folder of the package in the commit: by its name, which no two packages of a repository share.
func (f *npmInferrer) find() error {
	shipped, err := parseManifest(f.pkg.JSON)
	if err != nil {
		return f.unclear("its package.json cannot be read: %w", err)
	}
	var found []string
	at := map[string]*manifest{}
	seen := 0
	for p := range f.tree {
		if path.Base(p) != "package.json" || strings.Contains("/"+p, "/node_modules/") {
			continue
		}
		if seen++; seen > maxManifests {
			return f.unclear("the commit holds more than %d files package.json", maxManifests)
		}
		data, err := f.in.ReadFile(p, maxManifest)
		if err != nil {
			if fault.ClassOf(err) == fault.Failed {
				continue // a link, or far too long: no package
			}
			return err
		}
		if m, err := parseManifest(data); err == nil && m.name == shipped.name {
			dir := path.Dir(p)
			at[dir] = m
			found = append(found, dir)
		}
	}
	if len(found) == 0 {
		return f.unclear("the commit holds no package %s", fault.Quote(shipped.name))
	}
	slices.SortFunc(found, func(a, b string) int {
		return strings.Compare(fmt.Sprintf("%04d%s", len(a), a), fmt.Sprintf("%04d%s", len(b), b))
	})
	f.dir = found[0]
	if slices.Contains(found, path.Clean(shipped.directory)) {
		f.dir = path.Clean(shipped.directory)
	} else if len(found) > 1 {
		f.unknown("%d folders of the commit hold a package %s: %s was taken", len(found), fault.Quote(shipped.name), fault.Quote(f.dir))
	}
	f.at = at[f.dir]
	if f.at.version != shipped.version {
		f.out.Contradictions = append(f.out.Contradictions, fmt.Sprintf("%s says that it is version %s, the commit's package.json says %s",
			fault.Quote(f.pkg.Output), fault.Quote(shipped.version), fault.Quote(f.at.version)))
	}
	return nil
}

// packageLocks are the files that npm ci reads.
var packageLocks = []string{"npm-shrinkwrap.json", "package-lock.json"}

// findLock looks for a package lock in the package's folder and above it, where a workspace keeps its own.
func (f *npmInferrer) findLock() {
	for dir := f.dir; ; dir = path.Dir(dir) {
		for _, name := range packageLocks {
			if f.tree[path.Join(dir, name)] {
				f.lock = dir
				return
			}
		}
		if dir == "." {
			return
		}
	}
}

// tools chooses Node.js and npm, and what they stand on.
func (f *npmInferrer) tools(r *Recipe) error {
	r.Builder = f.in.Base
	for _, key := range []string{"debian", "image", "host"} {
		f.say("builder."+key, BuiltIn, f.in.BaseWhy)
	}
	lines := linesFor(f.pkg, f.in.When)
	if f.pkg.Node != "" && f.pkg.NPM != "" {
		r.Builder.Node, r.Builder.NPM = f.pkg.Node, f.pkg.NPM
		f.say("builder.node", f.pkg.By, "")
		f.say("builder.npm", f.pkg.By, "")
		lines = nil
	} else if len(lines) == 0 {
		return f.unclear("no line of Node.js that this program knows could have packed it").WithHint("name versions with --node and --npm")
	} else {
		r.Builder.Node, r.Builder.NPM = lines[0].node, lines[0].npm
		f.say("builder.node", BuiltIn, "maintained when the commit was made; nobody says with what it was packed")
		f.say("builder.npm", BuiltIn, "packs with that version of Node.js")
		f.unknown("with which versions of Node.js and npm it was packed; --node and --npm name them")
		lines = lines[1:]
	}
	if f.pkg.System != GzipUnknown && f.pkg.System != gzipUnix {
		f.unknown("it was packed on another system (%d in its gzip header), which no builder serves: this byte will differ", f.pkg.System)
	}
	for _, l := range lines {
		alt := &Recipe{Builder: r.Builder}
		alt.Builder.Node, alt.Builder.NPM = l.node, l.npm
		f.out.Alternatives = append(f.out.Alternatives, alt)
	}
	return nil
}

const gzipUnix = 3

// scriptOrder is what builds a package, the likeliest first.
var scriptOrder = []string{"build", "prepack", "prepare", "prepublishOnly", "prepublish"}

func (f *npmInferrer) steps(r *Recipe) error {
	if f.build {
		script := ""
		for _, name := range scriptOrder {
			if f.at.scripts[name] != "" {
				script = name
				break
			}
		}
		if script == "" {
			return f.unclear("holds files that the commit does not, and its package.json has no script that builds").
				WithHint("write a %s that says how they are made, and name it with --recipe", FileName)
		}
		if err := f.install(r); err != nil {
			return err
		}
		f.add(r, Argv{"npm", "run", script}, f.dir, Commit, "script of its package.json")
	}
	output := packedName(f.at)
	if strings.HasPrefix(r.Builder.NPM, "6.") { // which knows no --pack-destination
		f.add(r, Argv{"npm", "pack", "--ignore-scripts"}, f.dir, BuiltIn, "the folder of the package")
		f.add(r, Argv{"cp", output, OutputDir + "/" + output}, f.dir, BuiltIn, "npm 6 leaves it there")
	} else {
		f.add(r, Argv{"npm", "pack", "--ignore-scripts", "--pack-destination", OutputDir}, f.dir, BuiltIn, "the folder of the package")
	}
	r.Artifacts = []Artifact{{Output: output}}
	f.say("artifact[0].output", BuiltIn, "the name that npm pack gives")
	return nil
}

// install brings what the package lock names: from the registry in a fetch step, from what that was given in the build.
func (f *npmInferrer) install(r *Recipe) error {
	if f.lock == "" {
		if !f.at.depends {
			return nil
		}
		for _, other := range []string{"yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"} {
			if f.tree[path.Join(f.dir, other)] || f.tree[other] {
				return f.unclear("its packages are locked by %s, which no builder reads", other)
			}
		}
		return f.unclear("no package-lock.json of the commit says which packages it was built with")
	}
	ci := Argv{"npm", "ci", "--ignore-scripts"}
	f.say(stepPath(true, 0)+".run", BuiltIn, "what its package lock names")
	f.say(stepPath(true, 0)+".dir", Commit, "the folder of the package lock")
	r.Fetch = []Step{{Run: ci, Dir: f.lock}}
	f.add(r, ci, f.lock, BuiltIn, "what its package lock names")
	return nil
}

func (f *npmInferrer) add(r *Recipe, argv Argv, dir string, by Chooser, why string) {
	at := stepPath(false, len(r.Steps))
	f.say(at+".run", by, why)
	f.say(at+".dir", Commit, "")
	r.Steps = append(r.Steps, Step{Run: argv, Dir: dir})
}

// finish computes digests and lines, and completes the alternatives, which differ in the tools alone.
func (f *npmInferrer) finish(r *Recipe) {
	tools := f.out.Alternatives
	f.out.Alternatives = nil
	f.inferrer.finish(r)
	for _, t := range tools {
		alt := *r
		alt.Builder = t.Builder
		alt.Digest = digest(alt.TOML())
		f.out.Alternatives = append(f.out.Alternatives, &alt)
	}
}

// packedName is the name that npm pack gives a tarball.
func packedName(m *manifest) string {
	return strings.ReplaceAll(strings.TrimPrefix(m.name, "@"), "/", "-") + "-" + m.version + ".tgz"
}

// ClaimedPackage returns name and version of a shipped tarball. They are only a claim.
func (p *Package) ClaimedPackage() (name, version string, ok bool) {
	m, err := parseManifest(p.JSON)
	if err != nil {
		return "", "", false
	}
	return m.name, m.version, m.version != ""
}
