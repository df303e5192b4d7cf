package findings

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Account writes down what the build read, with digests, and what kinds of files that were (F11, F19). It goes by what s
// says of the tree. Without a run that ended well there is none.
func Account(o *rebuild.Outcome, s *verdict.Source) (*verdict.Account, error) {
	a := o.Account
	if a == nil {
		return nil, nil
	}
	f := &verdict.Account{Proved: a.Proved, Refuted: a.Refuted, Why: a.Why, Of: len(o.Tree.Files), Source: []verdict.Digest{}, Fetched: []verdict.Digest{}}
	for _, e := range o.ReadFiles() {
		if err := addSource(f, s, o, e); err != nil {
			return nil, err
		}
	}
	if o.Inputs != nil {
		for _, c := range o.Inputs.Closures {
			for _, e := range c.Entries {
				f.FetchedOf++
				_, read := slices.BinarySearch(a.Fetched, e.Path)
				if read || c.Ecosystem != "go" { // what a proxy answers is no file that can be left out: all of it counts as read
					f.Fetched = append(f.Fetched, verdict.Digest{Name: e.Path, SHA256: e.SHA256, Size: e.Size})
				}
			}
		}
	}
	for _, l := range a.Layers {
		f.Layers = append(f.Layers, verdict.LayerRead{Name: l.Name, Digest: l.Digest, Read: l.Files > 0 || l.Digest == ""})
	}
	return f, nil
}

// addSource adds one file of the tree.
func addSource(f *verdict.Account, s *verdict.Source, o *rebuild.Outcome, e source.Entry) error {
	f.Source = append(f.Source, verdict.Digest{Name: e.Path, SHA256: e.SHA256, Size: e.Size})
	if VendoredPath(e.Path) {
		f.Vendored++
	}
	if i := slices.IndexFunc(s.Opaque, func(x verdict.Opaque) bool { return x.Path == e.Path }); i >= 0 {
		f.Opaque = append(f.Opaque, s.Opaque[i])
		return nil
	}
	file, err := os.Open(filepath.Join(o.TreeDir, filepath.FromSlash(e.Path)))
	if err != nil {
		return fault.Inconclusivef(fault.Quote(e.Path), "%w", bare(err))
	}
	defer file.Close()
	if isGenerated(file) {
		f.Generated++
	}
	return nil
}

// Refused gives a line for everything that the first run tried to reach over a network, each once.
func Refused(o *rebuild.Outcome) []string {
	if len(o.Record.Runs) == 0 {
		return nil
	}
	var list []string
	for i, s := range o.Record.Runs[0].Steps {
		for _, a := range s.Refused {
			line := fmt.Sprintf("step %d: %s tried %s, refused", i+1, fault.Quote(a.Process), fault.Quote(a.Target))
			if !slices.Contains(list, line) {
				list = append(list, line)
			}
		}
	}
	return list
}
