package gomod

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Finding is one file of vendor/ that is not what the module's zip says. The zero value is not a finding.
type Finding struct {
	Kind   FindingKind `json:"kind"`
	Module string      `json:"module,omitempty"` // "path@version" that the file should come from
	Path   string      `json:"path"`             // below the tree that was checked
	Detail string      `json:"detail,omitempty"`
}

// FindingKind says what is wrong with a vendored file.
type FindingKind string

const (
	Different FindingKind = "different" // other bytes than in the zip
	Extra     FindingKind = "extra"     // not in the zip, or of no module that modules.txt lists
	Absent    FindingKind = "absent"    // in a vendored package of the zip, and left out here (some projects prune what they vendor)
	NotAFile  FindingKind = "not-a-file"
)

// VendorResult is what is known of one vendored module.
type VendorResult struct {
	Module   string `json:"module"`             // "path@version"
	Replaced string `json:"replaced,omitempty"` // "path@version", or a directory of the tree
	Sum      string `json:"sum,omitempty"`      // of the zip that the files were compared with
	Status   Status `json:"status,omitempty"`   // of that zip; "" for a directory of the tree, which needs none
	Detail   string `json:"detail,omitempty"`
	Files    int    `json:"files"` // that were compared
}

// VendorReport is the outcome of CheckVendor. It is good when every Status is Verified (or "" for a directory of the tree) and
// there is no finding.
type VendorReport struct {
	Modules  []VendorResult `json:"modules"`
	Findings []Finding      `json:"findings"`
}

// ZipFetcher returns the zip of a module as a file that nobody changes.
type ZipFetcher func(ctx context.Context, mod module.Version) (*os.File, error)

// CheckVendor compares the vendor folder of a module with the zips of the modules that it names (F19): `-mod=vendor` checks
// no content, so an edited copy would compile unseen. tree is the module's root, vendored files lie below "vendor". Every file must be
// byte for byte that of the zip, and a package must not lack one that `go mod vendor` copies. A module whose zip cannot be
// had is Unknown, and its files are not compared.
func CheckVendor(ctx context.Context, tree fs.FS, zips ZipFetcher, sums *Checker) (*VendorReport, error) {
	data, err := readBounded(tree, "vendor/modules.txt", maxModulesText)
	if err != nil {
		return nil, fault.Failf("vendor/modules.txt", "%w", err)
	}
	modules, err := ParseModulesText(data)
	if err != nil {
		return nil, err
	}
	files, findings, err := vendoredFiles(tree)
	if err != nil {
		return nil, err
	}
	report := &VendorReport{Modules: []VendorResult{}, Findings: findings}
	owned := assign(modules, files)
	for _, f := range owned[-1] {
		report.Findings = append(report.Findings, Finding{Kind: Extra, Path: "vendor/" + f, Detail: "belongs to no module of modules.txt"})
	}
	for i := range modules {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := vendorCheck{tree: tree, mod: &modules[i], files: owned[i]}
		if err := c.run(ctx, zips, sums); err != nil {
			return nil, err
		}
		report.Modules = append(report.Modules, c.result)
		report.Findings = append(report.Findings, c.findings...)
	}
	slices.SortFunc(report.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return report, nil
}

// vendoredFiles lists the files below vendor/, without modules.txt. What is neither file nor directory is a finding: `go mod
// vendor` makes none.
func vendoredFiles(tree fs.FS) (files []string, findings []Finding, err error) {
	findings = []Finding{}
	err = fs.WalkDir(tree, "vendor", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || p == "vendor/modules.txt" {
			return err
		}
		if len(files) == maxVendorFiles {
			return fault.Failf("vendor", "exceeds %d files", maxVendorFiles)
		}
		if !d.Type().IsRegular() {
			findings = append(findings, Finding{Kind: NotAFile, Path: p})
			return nil
		}
		files = append(files, strings.TrimPrefix(p, "vendor/"))
		return nil
	})
	var classified *fault.Error
	if err != nil && !errors.As(err, &classified) {
		err = fault.Failf("vendor", "%w", err)
	}
	return files, findings, err
}

// assign gives each file to the module that provides the longest package path above it, else to the module with the longest path
// above it; -1 to none.
func assign(modules []VendoredModule, files []string) map[int][]string {
	packages, roots := map[string]int{}, map[string]int{}
	for i, m := range modules {
		roots[m.Module.Path] = i
		for _, p := range m.Packages {
			packages[p] = i
		}
	}
	owned := map[int][]string{}
	for _, f := range files {
		owner, found := -1, false
		for _, table := range []map[string]int{packages, roots} {
			for d := path.Dir(f); d != "." && !found; d = path.Dir(d) {
				owner, found = lookup(table, d)
			}
		}
		owned[owner] = append(owned[owner], f)
	}
	return owned
}

func lookup(table map[string]int, key string) (int, bool) {
	if i, ok := table[key]; ok {
		return i, true
	}
	return -1, false
}

// vendorCheck compares the files of one module.
type vendorCheck struct {
	tree     fs.FS
	mod      *VendoredModule
	files    []string // below vendor/
	result   VendorResult
	findings []Finding
}

func (c *vendorCheck) run(ctx context.Context, zips ZipFetcher, sums *Checker) error {
	c.result = VendorResult{Module: c.mod.Module.Path + "@" + c.mod.Module.Version, Files: len(c.files)}
	if c.mod.local() {
		c.result.Replaced = c.mod.Replaced.Path
		c.result.Detail = "a directory of the tree"
		return c.compareDirectory()
	}
	src := c.mod.source()
	if c.mod.Replaced.Path != "" {
		c.result.Replaced = src.Path + "@" + src.Version
	}
	file, err := zips(ctx, src)
	if err != nil {
		c.result.Status, c.result.Detail, c.result.Files = Unknown, err.Error(), 0
		return ctx.Err()
	}
	defer file.Close()
	z, err := openZip(src, file)
	if err != nil {
		return err
	}
	if c.result.Sum, err = z.sum(); err != nil {
		return err
	}
	z.left = MaxZip // read once more
	c.result.Status, c.result.Detail = sums.Check(ctx, src, c.result.Sum)
	return c.compareZip(z)
}

func (c *vendorCheck) compareZip(z *moduleZip) error {
	here := map[string]bool{}
	for _, f := range c.files {
		inside := strings.TrimPrefix(f, c.mod.Module.Path+"/")
		here[inside] = true
		theirs, err := z.open(inside)
		if errors.Is(err, fs.ErrNotExist) {
			c.add(Extra, f, "not in the module")
			continue
		}
		if err != nil {
			return fault.Failf(c.result.Module, "malformed zip: %w", err)
		}
		same, err := c.same(f, theirs)
		if err != nil {
			return err
		}
		if !same {
			c.add(Different, f, "")
		}
	}
	return c.findAbsent(z, here)
}

// compareDirectory compares a module that is replaced by a directory of the tree: the copy must be the directory's.
func (c *vendorCheck) compareDirectory() error {
	dir := path.Clean(c.mod.Replaced.Path)
	for _, f := range c.files {
		p := path.Join(dir, strings.TrimPrefix(f, c.mod.Module.Path+"/"))
		if !fs.ValidPath(p) { // outside the tree
			c.add(Extra, f, "replaced by a directory outside the tree")
			continue
		}
		theirs, err := c.tree.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			c.add(Extra, f, "not in "+dir)
			continue
		}
		if err != nil {
			return fault.Failf(fault.Quote(p), "%w", err)
		}
		same, err := c.same(f, theirs)
		if err != nil {
			return err
		}
		if !same {
			c.add(Different, f, "")
		}
	}
	return nil
}

func (c *vendorCheck) add(kind FindingKind, file, detail string) {
	c.findings = append(c.findings, Finding{Kind: kind, Module: c.result.Module, Path: "vendor/" + file, Detail: detail})
}

// same compares a vendored file with another one, which it closes.
func (c *vendorCheck) same(file string, theirs io.ReadCloser) (bool, error) {
	defer theirs.Close()
	ours, err := c.tree.Open("vendor/" + file)
	if err != nil {
		return false, fault.Failf(fault.Quote("vendor/"+file), "%w", err)
	}
	defer ours.Close()
	a, b := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, errA := io.ReadFull(ours, a)
		m, errB := io.ReadFull(theirs, b)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, fault.Failf(fault.Quote("vendor/"+file), "%w", err)
			}
		}
		if !bytes.Equal(a[:n], b[:m]) {
			return false, nil
		}
		if n < len(a) {
			return true, nil
		}
	}
}

// findAbsent reports the files of the vendored packages that `go mod vendor` would have copied.
func (c *vendorCheck) findAbsent(z *moduleZip, here map[string]bool) error {
	packages := map[string]bool{}
	for _, p := range c.mod.Packages {
		packages[strings.TrimPrefix(strings.TrimPrefix(p, c.mod.Module.Path), "/")] = true
	}
	for name, zf := range z.files {
		dir := path.Dir(name)
		if dir == "." {
			dir = ""
		}
		if here[name] || !packages[dir] || zf.FileInfo().IsDir() {
			continue
		}
		wanted, err := copiedByVendor(name, func() (io.ReadCloser, error) { return z.open(name) })
		if err != nil {
			return fault.Failf(c.result.Module, "malformed zip: %w", err)
		}
		if wanted {
			c.add(Absent, c.mod.Module.Path+"/"+name, "")
		}
	}
	return nil
}

// Zips returns a ZipFetcher that downloads from s; keep stores what it reads and opens the result.
func (s *Source) Zips(keep func(ctx context.Context, r io.Reader, limit int64) (*os.File, error)) ZipFetcher {
	return func(ctx context.Context, mod module.Version) (*os.File, error) {
		body, err := s.OpenZip(ctx, mod, MaxZip)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return keep(ctx, body, MaxZip)
	}
}

func readBounded(tree fs.FS, name string, limit int64) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("exceeds %d bytes", limit)
	}
	return data, err
}
