package findings

import (
	"maps"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/origin"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// goPackages adds what the line table of a Go program cannot name: files whose code the linker left out or that hold none, and
// files that are embedded. They are found as the go command finds them: from the main package on by its imports, with the
// system, the processor and the tags that the program says it was built with; of the tree alone.
func (w *world) goPackages(p *placed, v *verdict.Origin, c origin.Claim) {
	if c.Go == nil || c.Go.Path == "" {
		return
	}
	dir, ok := w.packageAt(c.Go.Path)
	if !ok {
		return
	}
	root, err := os.OpenRoot(w.outcome.TreeDir)
	if err != nil {
		return
	}
	defer root.Close()
	g := &goGraph{w: w, choice: choiceOf(c.Go, root), seen: map[string]bool{}, files: map[string]bool{}}
	g.walk(dir)
	for _, f := range slices.Sorted(maps.Keys(g.files)) {
		if _, named := p.source[f]; named || w.Read != nil && !w.Read[f] {
			continue
		}
		e := w.entries[f]
		v.Package = append(v.Package, verdict.Digest{Name: f, SHA256: e.SHA256, Size: e.Size})
		p.by[origin.ByPackages] = true
	}
}

// packageAt returns the folder of the tree that an import path names.
func (w *world) packageAt(imported string) (string, bool) {
	for _, m := range w.Own {
		if imported == m.Path {
			return m.Dir, true
		}
		if rel, ok := strings.CutPrefix(imported, m.Path+"/"); ok {
			return path.Join(m.Dir, rel), true
		}
	}
	for key, dir := range w.Replace {
		mod, _, _ := strings.Cut(key, "@")
		if rel, ok := strings.CutPrefix(imported+"/", mod+"/"); ok {
			return path.Join(dir, rel), true
		}
	}
	return "", false
}

// goGraph walks the packages of the tree that a program is made of.
type goGraph struct {
	w      *world
	choice *goChoice
	seen   map[string]bool
	files  map[string]bool
}

func (g *goGraph) walk(start string) {
	for next := []string{start}; len(next) > 0; {
		dir := next[0]
		next = next[1:]
		if g.seen[dir] {
			continue
		}
		g.seen[dir] = true
		pkg, err := g.choice.folder(dir)
		if err != nil {
			continue
		}
		for _, f := range pkg.files {
			if name := path.Join(dir, f); g.w.Tree[name] {
				g.files[name] = true
			}
		}
		g.embedded(dir, pkg.embeds)
		for _, imported := range pkg.imports {
			if at, ok := g.find(imported); ok {
				next = append(next, at)
			}
		}
	}
}

// find returns where an imported package lies in the tree: vendored, or of one of its modules.
func (g *goGraph) find(imported string) (string, bool) {
	for _, m := range g.w.Own {
		if dir := path.Join(m.Dir, "vendor", imported); g.isDir(dir) {
			return dir, true
		}
	}
	dir, ok := g.w.packageAt(imported)
	return dir, ok && g.isDir(dir)
}

func (g *goGraph) isDir(dir string) bool {
	st, err := g.choice.root.Stat(dir)
	return err == nil && st.IsDir()
}

// embedded adds the files that patterns of //go:embed match: a folder stands for everything below it but names that begin
// with a dot or an underscore, unless the pattern begins with "all:".
func (g *goGraph) embedded(dir string, patterns []string) {
	if len(patterns) == 0 {
		return
	}
	for f := range g.w.Tree {
		rel := f
		if dir != "." {
			var ok bool
			if rel, ok = strings.CutPrefix(f, dir+"/"); !ok {
				continue
			}
		}
		for _, p := range patterns {
			p, all := strings.CutPrefix(p, "all:")
			if embeds(p, rel, all) {
				g.files[f] = true
				break
			}
		}
	}
}

func embeds(pattern, rel string, all bool) bool {
	depth := strings.Count(path.Clean(pattern), "/") + 1
	if pattern == "." {
		depth = 0
	}
	parts := strings.Split(rel, "/")
	if len(parts) < depth {
		return false
	}
	if ok, err := path.Match(path.Clean(pattern), strings.Join(parts[:depth], "/")); depth > 0 && (err != nil || !ok) {
		return false
	}
	return all || !slices.ContainsFunc(parts[depth:], func(s string) bool { return s[0] == '.' || s[0] == '_' })
}

// choiceOf takes from a program how it was built.
func choiceOf(info *debug.BuildInfo, root *os.Root) *goChoice {
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	g := &goChoice{root: root, os: set["GOOS"], arch: set["GOARCH"], cgo: set["CGO_ENABLED"] == "1", minor: minorOf(info.GoVersion), limits: maxGoSource}
	if tags := set["-tags"]; tags != "" {
		g.tags = strings.Split(tags, ",")
	}
	return g
}

// minorOf reads the 26 of "go1.26.5".
func minorOf(version string) int {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return 0
	}
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		rest = rest[:i]
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n > 1000 {
		return 0
	}
	return n
}
