package recipe

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

var fullID = pattern.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Files of the commit that inference looks at, and how large they may be.
const (
	maxGoMod = 4 << 20
	maxGoSum = 16 << 20
)

// toolchain reads the Go version. A version that is no release cannot be had, and stands in the file itself.
func (f *inferrer) toolchain(p *build) error {
	// Experiments follow the version: " X:" before Go 1.25, "-X:" since.
	version, _, _ := strings.Cut(p.info.Go, "X:")
	version = strings.TrimRight(version, " -")
	v, ok := strings.CutPrefix(version, "go")
	if !ok || !ValidGoVersion(v) {
		return f.inconclusive(p, "was built with %s, which is no Go release", fault.Quote(p.info.Go)).WithCheck("builder.available")
	}
	p.goVer = v
	return nil
}

// module finds the main package's module in the commit.
func (f *inferrer) module(p *build) error {
	mod, pkg := p.info.Main.Path, p.info.Path
	switch {
	case pkg == "command-line-arguments":
		return f.inconclusive(p, "was built from a list of files, which its build info does not name")
	case mod == "":
		return f.inconclusive(p, "names no main module")
	case module.CheckImportPath(mod) != nil || module.CheckImportPath(pkg) != nil:
		return fault.Failf(fault.Quote(p.binary.name()), "malformed import path %s in module %s", fault.Quote(pkg), fault.Quote(mod))
	case pkg != mod && !strings.HasPrefix(pkg, mod+"/"):
		return f.inconclusive(p, "its main package %s is not of its main module %s", fault.Quote(pkg), fault.Quote(mod))
	case p.info.Main.Sum != "":
		return f.inconclusive(p, "was installed as %s@%s from a module proxy, not built from a checkout", mod, fault.Quote(p.info.Main.Version))
	}
	if f.in.ReadFile == nil {
		p.dir = "."
		f.unknown("whether the commit holds module %s at its root", mod)
		return nil
	}
	for _, dir := range moduleDirs(mod) {
		data, err := f.in.ReadFile(path.Join(dir, "go.mod"), maxGoMod)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if modfile.ModulePath(data) == mod {
			p.dir = dir
			return nil
		}
	}
	return f.inconclusive(p, "its module %s is not in the commit where its path says", mod)
}

// moduleDirs returns where a module of that path can lie in its repository: the root, then every end of the path, with and
// without a major version suffix.
func moduleDirs(mod string) []string {
	dirs := []string{"."}
	base, _, _ := module.SplitPathVersion(mod)
	for _, p := range []string{mod, base} {
		parts := strings.Split(p, "/")
		for i := len(parts) - 1; i > 0; i-- {
			if dir := strings.Join(parts[i:], "/"); checkPath(dir) == nil && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// repository compares the VCS stamp with the commit and decides what the build may see.
func (f *inferrer) repository(p *build) error {
	p.vcs = VCS{Tags: AllTags}
	system, stamped := p.info.Get("vcs")
	if !stamped {
		p.flags = append(p.flags, "-buildvcs=false")
		f.say("vcs.stamp", Artefact, "its build info has no VCS stamp")
		return nil
	}
	if system != "git" {
		return f.inconclusive(p, "is stamped by %s, not by git", fault.Quote(system))
	}
	p.vcs.Stamp = true
	p.flags = append(p.flags, "-buildvcs=true")
	f.say("vcs.stamp", Artefact, "its build info has a VCS stamp")
	if err := f.revision(p); err != nil {
		return err
	}
	if modified, _ := p.info.Get("vcs.modified"); modified == "true" {
		p.vcs.Dirty = f.refuse("vcs.modified=true")
		f.say("vcs.dirty", Auditor, "the policy lists vcs.modified=true")
	}
	f.visibleTags(p)
	return nil
}

func (f *inferrer) revision(p *build) error {
	revision, _ := p.info.Get("vcs.revision")
	if !fullID.MatchString(revision) {
		return fault.Failf(fault.Quote(p.binary.name()), "vcs.revision %s is not a full commit id", fault.Quote(revision))
	}
	f.out.Commit = revision
	if f.in.Commit == "" {
		return nil
	}
	if revision != f.in.Commit {
		f.contradiction(p, "its build info names commit %s, not %s", revision, f.in.Commit)
		return nil
	}
	stamp, _ := p.info.Get("vcs.time")
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || t.Unix() != f.in.When || t.Nanosecond() != 0 {
		f.contradiction(p, "its build info dates the commit %s, but it is of %s", fault.Quote(stamp), time.Unix(f.in.When, 0).UTC().Format(time.RFC3339))
	}
	return nil
}

// visibleTags finds out which tags the clone had that the binary was built in. Since Go 1.24 the version of the main
// module is made from them.
func (f *inferrer) visibleTags(p *build) {
	version := strings.TrimSuffix(strings.TrimSuffix(p.info.Main.Version, "+dirty"), ".dirty")
	if f.in.Commit == "" || semver.Compare(semverOf(p.goVer), "v1.24.0") < 0 || version == "(devel)" {
		f.say("vcs.tags", BuiltIn, "")
		// The go command leaves the version out where it cannot make one, as 1.24 does for some nested modules.
		if f.in.Commit != "" && version == "(devel)" && semver.Compare(semverOf(p.goVer), "v1.24.0") >= 0 && f.in.ReadFile != nil && f.exists("go.mod") {
			f.unknown("which tags its clone had: it is stamped, but without a module version")
		}
		return
	}
	for _, tags := range []Tags{AllTags, TagsAtCommit, NoTags} {
		if f.moduleVersion(p, tags) == version {
			p.vcs.Tags = tags
			f.say("vcs.tags", Artefact, "its module version is "+version)
			return
		}
	}
	f.unknown("how the module version %s came about: the tags merged into the commit make %s", fault.Quote(version), f.moduleVersion(p, AllTags))
}

// semverOf makes a semantic version of a Go version: 1.26rc1 becomes v1.26.0-rc1.
func semverOf(goVersion string) string {
	v, pre := goVersion, ""
	if i := strings.IndexAny(v, "rb"); i >= 0 {
		v, pre = v[:i], "-"+v[i:]
	}
	for strings.Count(v, ".") < 2 {
		v += ".0"
	}
	return "v" + v + pre
}

// moduleVersion does what the go command does (cmd/go/internal/modfetch): the highest canonical tag at the commit, else a
// pseudo-version on top of the highest tag that is merged into it.
func (f *inferrer) moduleVersion(p *build, visible Tags) string {
	_, pathMajor, _ := module.SplitPathVersion(p.info.Main.Path)
	prefix := ""
	if dir := strings.TrimSuffix(strings.TrimSuffix("/"+p.dir, pathMajor), "/."); pathMajor != "" && dir != "" || pathMajor == "" && p.dir != "." {
		prefix = strings.TrimPrefix(dir, "/") + "/"
	}
	at, before := "", ""
	for _, t := range f.in.Tags {
		trimmed, ok := strings.CutPrefix(t.Name, prefix)
		v := semver.Canonical(trimmed)
		if !ok || v == "" || !strings.HasPrefix(trimmed, v) || module.IsPseudoVersion(t.Name) || !module.MatchPathMajor(v, pathMajor) {
			continue
		}
		if t.AtCommit && v == trimmed && semver.Compare(v, at) > 0 {
			at = v
		}
		if (visible == AllTags || t.AtCommit) && semver.Compare(v, before) > 0 {
			before = v
		}
	}
	if visible != NoTags && at != "" {
		return at
	}
	if visible == NoTags {
		before = ""
	}
	short := f.in.Commit[:min(12, len(f.in.Commit))]
	return module.PseudoVersion(module.PathMajorPrefix(pathMajor), before, time.Unix(f.in.When, 0).UTC(), short)
}

// dependencies decides between vendored and downloaded modules, and compares their checksums with the commit's.
func (f *inferrer) dependencies(p *build) error {
	versions, sums, local := 0, 0, false
	for _, d := range p.info.Deps {
		if d.Replace != nil {
			d = *d.Replace
		}
		if d.Version == "" || d.Version == "(devel)" {
			local = true
			continue
		}
		versions++
		if d.Sum != "" {
			sums++
		}
	}
	switch {
	case versions == 0:
	case sums == 0:
		p.flags = append(p.flags, "-mod=vendor")
		if f.in.ReadFile != nil && !f.exists(path.Join(p.dir, "vendor/modules.txt")) && !f.exists("vendor/modules.txt") {
			f.unknown("what was vendored: the build info has no module checksums, but the commit has no vendor/modules.txt")
		}
	case sums < versions:
		return f.inconclusive(p, "lists some of its modules without a checksum")
	default:
		p.flags = append(p.flags, "-mod=readonly")
		p.fetch = true
	}
	if !local && f.in.ReadFile != nil && (f.exists("go.work") || f.exists(path.Join(p.dir, "go.work"))) {
		p.env["GOWORK"] = "off"
	}
	return f.compareSums(p)
}

func (f *inferrer) exists(name string) bool {
	_, err := f.in.ReadFile(name, maxGoSum)
	return err == nil
}

// compareSums holds every module checksum of the build info against go.sum of the commit.
func (f *inferrer) compareSums(p *build) error {
	if f.in.ReadFile == nil || !p.fetch {
		return nil
	}
	known := map[string]string{}
	for _, name := range []string{path.Join(p.dir, "go.sum"), "go.work.sum"} {
		data, err := f.in.ReadFile(name, maxGoSum)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if w := strings.Fields(line); len(w) == 3 {
				known[w[0]+"@"+w[1]] = w[2]
			}
		}
	}
	for _, d := range p.info.Deps {
		if d.Replace != nil {
			d = *d.Replace
		}
		if sum, ok := known[d.Path+"@"+d.Version]; ok && d.Sum != "" && sum != d.Sum {
			f.contradiction(p, "was built with %s %s of checksum %s, but go.sum of the commit says %s", d.Path, d.Version, d.Sum, sum)
		}
	}
	return nil
}
