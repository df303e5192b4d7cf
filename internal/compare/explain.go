package compare

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Options give the private folder into which nested content is expanded, what the pair is called, and which member alone
// is looked at.
type Options struct {
	Dir     string
	Name    string
	Only    string // path of one member; "" for everything
	Digests bool   // whether the two files themselves are hashed: their members always are
}

// Explain says why two files differ, as a tree of nodes. Archives are compared member by member, order, metadata,
// compression and container apart; executables by function and data; text, JSON and XML by lines and values; other
// files by bytes. Files that are the same cost one read.
func Explain(ctx context.Context, shipped, rebuilt Content, opt Options) (*tree.Node, error) {
	var sum hash.Hash
	if opt.Digests || opt.Only != "" {
		sum = sha256.New()
	}
	d, err := bytewise(ctx, shipped, rebuilt, sum)
	if err != nil {
		return nil, err
	}
	n := &tree.Node{Kind: tree.File, Status: tree.Identical}
	describe(n, d)
	if d.Equal && opt.Only == "" {
		return n, nil
	}
	e := &explainer{ctx: ctx}
	inspect := func(c Content, digest string) (*artifact.Artifact, error) {
		return artifact.Inspect(ctx, c, c.Size(), artifact.Options{Dir: opt.Dir, Name: opt.Name, SHA256: digest, Unhashed: digest == ""})
	}
	if e.a, err = inspect(shipped, d.ShippedSHA256); err != nil {
		return nil, err
	}
	defer e.a.Close()
	if e.b, err = inspect(rebuilt, d.RebuiltSHA256); err != nil {
		return nil, err
	}
	defer e.b.Close()
	e.rootA, e.rootB, e.rootDifference = shipped, rebuilt, &d
	return e.explain(n, opt)
}

// Artifacts says why two artefacts differ that were opened before: directories, for example.
func Artifacts(ctx context.Context, shipped, rebuilt *artifact.Artifact, opt Options) (*tree.Node, error) {
	e := &explainer{ctx: ctx, a: shipped, b: rebuilt}
	return e.explain(&tree.Node{Kind: tree.File}, opt)
}

type explainer struct {
	ctx            context.Context
	a, b           *artifact.Artifact
	rootA, rootB   Content // the content of the roots where somebody holds it already
	rootDifference *Difference
}

// explain compares the roots, or the one member that was asked for.
func (e *explainer) explain(n *tree.Node, opt Options) (*tree.Node, error) {
	a, b := e.a.Root, e.b.Root
	if opt.Only != "" {
		ma, errA := e.a.Find(opt.Only)
		mb, errB := e.b.Find(opt.Only)
		if errA != nil && errB != nil {
			return nil, fault.Usagef("--only", "no member %s on either side", fault.Quote(opt.Only))
		}
		if errA != nil {
			ma = nil
		}
		if errB != nil {
			mb = nil
		}
		a, b = ma, mb
		n = &tree.Node{Kind: tree.File}
		e.rootA, e.rootB, e.rootDifference = nil, nil, nil
	}
	if err := e.node(n, a, b); err != nil {
		return nil, err
	}
	n.Path = opt.Only
	n.Sort()
	return n, nil
}

// node compares two members with all that is in them; one of them may be missing.
func (e *explainer) node(n *tree.Node, a, b *artifact.Member) error {
	if a == nil || b == nil {
		oneSided(n, a, b)
		return nil
	}
	n.Format = a.Format
	side := func(m *artifact.Member, s **tree.Side) {
		if *s == nil {
			*s = &tree.Side{Size: m.Size, SHA256: m.SHA256}
		}
	}
	side(a, &n.Shipped)
	side(b, &n.Rebuilt)
	meta := newMetadataGroups()
	switch {
	case a.Type != b.Type:
		n.Status = tree.Different
		meta.add(a, b)
		n.Causes = append(n.Causes, meta.causes()...)
		return nil
	case a.Type == artifact.Symlink || a.Type == artifact.Directory && a != e.a.Root:
		n.Status = tree.Identical
		return nil // links and modes are metadata, which the container above compares
	case a.SHA256 != "" && a.SHA256 == b.SHA256 && a.Size == b.Size && a.Type != artifact.Directory:
		n.Status = tree.Identical
		return nil
	}
	n.Status = tree.Different
	return e.pair(n, a, b)
}

// oneSided describes a member that only one side has.
func oneSided(n *tree.Node, a, b *artifact.Member) {
	m, where := a, "shipped"
	n.Status = tree.OnlyShipped
	if a == nil {
		m, where, n.Status = b, "rebuilt", tree.OnlyRebuilt
	}
	side := &tree.Side{Size: m.Size, SHA256: m.SHA256}
	if a == nil {
		n.Rebuilt = side
	} else {
		n.Shipped = side
	}
	n.Format = m.Format
	c := tree.Cause{ID: tree.CauseMember, Text: fmt.Sprintf("only %s, %s", where, bytesOf(m))}
	if isPackageSignature(m.Name) {
		c.ID = tree.CausePackageSign
		c.Text = fmt.Sprintf("a signature of the package, only %s, %s", where, bytesOf(m))
		c.Remedy = "compare what was packed before it was signed, or declare the signature in recipe and policy"
	}
	n.Causes = append(n.Causes, c)
}

func bytesOf(m *artifact.Member) string {
	switch m.Type {
	case artifact.Directory:
		return "a directory"
	case artifact.Symlink:
		return "a link to " + fault.Quote(m.Link)
	}
	if m.Size == 1 {
		return "1 byte"
	}
	s := fmt.Sprintf("%d bytes", m.Size)
	if m.Executable() {
		s += " of " + m.Format + " code"
	}
	return s
}

// pair explains two members whose content differs.
func (e *explainer) pair(n *tree.Node, a, b *artifact.Member) error {
	if isContainer(a) && isContainer(b) {
		return e.container(n, a, b)
	}
	ca, err := e.content(e.a, e.rootA, a)
	if err != nil {
		return err
	}
	defer ca.Close()
	cb, err := e.content(e.b, e.rootB, b)
	if err != nil {
		return err
	}
	defer cb.Close()
	d := e.rootDifference
	if d == nil || a != e.a.Root {
		found, err := Files(e.ctx, ca, cb)
		if err != nil {
			return err
		}
		d = &found
		describe(n, found)
	}
	for i, m := range []*artifact.Member{a, b} {
		if m.Problem != nil {
			n.Causes = append(n.Causes, tree.Cause{ID: tree.CauseContainer, Text: fmt.Sprintf("the %s file cannot be listed: %s", sides[i], fault.Quote(m.Problem.Error()))})
		}
	}
	switch {
	case a.Format != b.Format:
		n.Causes = append(n.Causes, tree.Cause{ID: tree.CauseBytes, Text: fmt.Sprintf("another format: %s shipped, %s rebuilt", orUnknown(a.Format), orUnknown(b.Format))})
	case isProgram(a):
		if err := e.program(n, ca, cb); err != nil {
			return err
		}
	}
	if len(n.Causes) == 0 {
		return e.plain(n, a, ca, cb, d)
	}
	return nil
}

var sides = [2]string{"shipped", "rebuilt"}

// isContainer tells whether a member can be compared by its members. One whose list is incomplete cannot.
func isContainer(m *artifact.Member) bool {
	return (len(m.Members) > 0 || m.Type == artifact.Directory) && m.Problem == nil
}

type held struct{ Content }

func (held) Close() error { return nil }

// content opens a member; what a caller holds is not closed.
func (e *explainer) content(from *artifact.Artifact, root Content, m *artifact.Member) (artifact.Content, error) {
	if root != nil && m == from.Root {
		return held{root}, nil
	}
	return from.Content(m)
}

// describe puts into a node what differs byte for byte.
func describe(n *tree.Node, d Difference) {
	n.Bytes = d.Bytes
	n.Shipped = &tree.Side{Size: d.ShippedSize, SHA256: d.ShippedSHA256}
	n.Rebuilt = &tree.Side{Size: d.RebuiltSize, SHA256: d.RebuiltSHA256}
	for _, r := range d.Ranges {
		for s, side := range []*tree.Side{n.Shipped, n.Rebuilt} {
			end := min(r.Offset+r.Size, []int64{d.ShippedSize, d.RebuiltSize}[s])
			if r.Offset < end {
				side.Ranges = append(side.Ranges, tree.Range{Offset: r.Offset, Size: end - r.Offset})
			}
		}
	}
}

func orUnknown(format string) string {
	if format == "" {
		return "unknown"
	}
	return format
}

// String says how much differs.
func (d Difference) String() string {
	if d.Equal {
		return "identical"
	}
	s := fmt.Sprintf("%d bytes differ, the first at offset %d", d.Bytes, d.First)
	if d.Bytes == 1 {
		s = fmt.Sprintf("1 byte differs, at offset %d", d.First)
	}
	if d.ShippedSize != d.RebuiltSize {
		s += fmt.Sprintf("; %d bytes shipped, %d rebuilt", d.ShippedSize, d.RebuiltSize)
	}
	return s
}
