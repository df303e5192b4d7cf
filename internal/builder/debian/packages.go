package debian

import (
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Package is one package of an index.
type Package struct {
	Name, Version, Architecture string
	Essential                   bool
	Priority                    string
	Depends                     []Clause // Pre-Depends first
	Conflicts                   []Clause // Conflicts and Breaks; each clause has one relation
	Replaces                    []Clause
	Provides                    []Relation
	Path                        string // below the archive's address, without a slash before it
	Size                        int64
	SHA256                      string // hex
}

// Index is what a Packages file lists for one architecture.
type Index struct {
	byName    map[string][]*Package // newest first
	providers map[string][]*Package // in the order of their names
	bySum     map[string]*Package
	essential []*Package
	arch      string
}

// hexDigest tells whether s is a SHA-256 in lower-case hex.
func hexDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// ReadIndex reads a Packages file, uncompressed.
func ReadIndex(r io.Reader, arch string) (*Index, error) {
	x := &Index{byName: map[string][]*Package{}, providers: map[string][]*Package{}, bySum: map[string]*Package{}, arch: arch}
	n := 0
	err := Paragraphs(r, maxParagraph, func(p *Paragraph) (bool, error) {
		if n++; n > MaxPackages {
			return false, fault.Failf("Packages", "exceeds limit: more than %d packages", MaxPackages)
		}
		if a := p.Get("Architecture"); a != arch && a != "all" {
			return true, nil
		}
		pkg, err := readPackage(p)
		if err != nil {
			return false, err
		}
		x.byName[pkg.Name] = append(x.byName[pkg.Name], pkg)
		x.bySum[pkg.SHA256] = pkg
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	x.finish()
	return x, nil
}

// finish orders what was read, so that nothing depends on the order in the file.
func (x *Index) finish() {
	for name, list := range x.byName {
		slices.SortStableFunc(list, func(a, b *Package) int {
			if c := Compare(b.Version, a.Version); c != 0 {
				return c
			}
			return strings.Compare(a.SHA256, b.SHA256)
		})
		newest := list[0]
		if newest.Essential {
			x.essential = append(x.essential, newest)
		}
		for _, p := range newest.Provides {
			x.providers[p.Name] = append(x.providers[p.Name], x.byName[name][0])
		}
	}
	byName := func(a, b *Package) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(x.essential, byName)
	for _, list := range x.providers {
		slices.SortFunc(list, byName)
	}
}

// BySum returns the package whose file has that SHA-256, nil for none.
func (x *Index) BySum(sum string) *Package { return x.bySum[sum] }

func readPackage(p *Paragraph) (*Package, error) {
	pkg := &Package{Name: p.Get("Package"), Version: p.Get("Version"), Architecture: p.Get("Architecture"), Essential: p.Get("Essential") == "yes",
		Priority: p.Get("Priority"), Path: p.Get("Filename"), SHA256: p.Get("SHA256")}
	bad := func(what, value string) error {
		return fault.Failf("Packages", "package %s: malformed %s %s", fault.Quote(cut(pkg.Name)), what, fault.Quote(cut(value)))
	}
	var err error
	switch {
	case !ValidName(pkg.Name):
		return nil, bad("name", pkg.Name)
	case !validVersion(pkg.Version):
		return nil, bad("version", pkg.Version)
	case !hexDigest(pkg.SHA256):
		return nil, bad("SHA256", pkg.SHA256)
	case !validPath(pkg.Path):
		return nil, bad("Filename", pkg.Path)
	}
	if pkg.Size, err = strconv.ParseInt(p.Get("Size"), 10, 64); err != nil || pkg.Size <= 0 {
		return nil, bad("Size", p.Get("Size"))
	}
	return pkg, pkg.relations(p)
}

// relations reads the relationship fields.
func (pkg *Package) relations(p *Paragraph) error {
	for _, f := range []struct {
		field string
		into  *[]Clause
	}{{"Pre-Depends", &pkg.Depends}, {"Depends", &pkg.Depends}, {"Conflicts", &pkg.Conflicts}, {"Breaks", &pkg.Conflicts}, {"Replaces", &pkg.Replaces}} {
		list, err := ParseRelations(p.Get(f.field))
		if err != nil {
			return err
		}
		*f.into = append(*f.into, list...)
	}
	list, err := ParseRelations(p.Get("Provides"))
	if err != nil {
		return err
	}
	for _, c := range list {
		pkg.Provides = append(pkg.Provides, c...)
	}
	return nil
}

// validPath demands a clean relative path of plain characters.
func validPath(p string) bool {
	if p == "" || len(p) > 1000 || path.IsAbs(p) || path.Clean(p) != p || strings.HasPrefix(p, "..") {
		return false
	}
	for i := range len(p) {
		c := p[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("./_+-~:%=,@", c) >= 0) {
			return false
		}
	}
	return true
}
