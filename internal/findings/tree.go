package findings

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Tree writes down what was exported to dir: its size and digest, what in it differs from the commit, and which of its files
// nobody can read (F19).
func Tree(s *verdict.Source, t *source.Tree, dir string) error {
	if t == nil {
		return nil
	}
	s.TreeSHA256, s.Files, s.Bytes = t.SHA256, len(t.Files), t.Bytes
	s.Findings, s.Submodules, s.Opaque, s.Vendored, s.Generated = nil, nil, nil, 0, 0
	for _, f := range t.Findings {
		s.Findings = append(s.Findings, verdict.Finding{Kind: string(f.Kind), Path: f.Path, Text: f.Detail})
	}
	for _, m := range t.Submodules {
		s.Submodules = append(s.Submodules, verdict.Submodule{Path: m.Path, URL: m.URL, Commit: m.Commit})
	}
	for _, x := range t.Transformed {
		s.Transformed = append(s.Transformed, verdict.Change{Path: x.Path, Before: x.RawSHA256, After: x.SHA256, Why: x.By})
	}
	return classify(s, t, dir)
}

// gitLink is the mode of a symbolic link in a tree of git.
const gitLink = 0o120000

// classify says of the exported files which a person cannot read, and which were generated or vendored (F19).
func classify(s *verdict.Source, tree *source.Tree, dir string) error {
	for _, e := range tree.Files {
		if e.Mode == gitLink {
			continue
		}
		if VendoredPath(e.Path) {
			s.Vendored++
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(e.Path)))
		if err != nil {
			return fault.Inconclusivef(fault.Quote(e.Path), "%w", bare(err))
		}
		class, err := artifact.Classify(f, e.Size)
		generated := err == nil && !class.Opaque() && isGenerated(f)
		f.Close()
		if err != nil {
			return err
		}
		if generated {
			s.Generated++
		}
		if class.Opaque() {
			s.Opaque = append(s.Opaque, verdict.Opaque{Path: e.Path, Kind: string(class), Size: e.Size, SHA256: e.SHA256})
		}
	}
	return nil
}

// VendoredPath tells whether a file is a copy of somebody else's source, by where it lies.
func VendoredPath(p string) bool {
	for _, dir := range strings.Split(path.Dir(p), "/") {
		switch dir {
		case "vendor", "node_modules", "third_party":
			return true
		}
	}
	return false
}

// isGenerated looks for the marker that generators leave near the top (https://go.dev/s/generatedcode, and its kin).
func isGenerated(f *os.File) bool {
	head := make([]byte, 2048)
	n, _ := f.ReadAt(head, 0)
	for line := range strings.Lines(string(head[:n])) {
		if strings.Contains(line, "DO NOT EDIT") || strings.Contains(line, "@generated") {
			return true
		}
	}
	return false
}
