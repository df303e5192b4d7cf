package compare

import (
	"context"
	"fmt"
	"sort"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// NodeStatus says how the two sides of a node relate. The zero value says that nobody has looked.
type NodeStatus string

// The statuses of nodes.
const (
	NodeIdentical NodeStatus = "identical"
	NodeDifferent NodeStatus = "different"
	NodeShipped   NodeStatus = "only-in-shipped"
	NodeRebuilt   NodeStatus = "only-in-rebuilt"
)

// A Node explains one pair of files or members: why they differ, and where.
type Node struct {
	Path       string       `json:"path"` // "" for the pair that was asked about
	Status     NodeStatus   `json:"status"`
	Format     string       `json:"format,omitempty"`
	Difference *Difference  `json:"difference,omitempty"`
	Causes     []code.Cause `json:"causes,omitempty"` // the most telling one first
	Nodes      []*Node      `json:"nodes,omitempty"`  // members that are not identical, content before metadata
	Identical  int          `json:"identical"`        // members that are
	Code       *code.Result `json:"code,omitempty"`   // for Go programs
	shipped    int64
}

// IDs of causes that lie in archives rather than in their members.
const (
	CauseGzipHeader  = "gzip-header"
	CauseCompression = "compression"
	CauseOrder       = "archive-order"
	CauseMTime       = "archive-mtime"
	CauseMetadata    = "archive-metadata"
	CauseMember      = "member"
	CauseContainer   = "archive-container"
	CauseBytes       = "bytes"
)

// ExplainOptions give the private folder into which nested content is expanded, and what the pair is called.
type ExplainOptions struct {
	Dir  string
	Name string
}

// Explain says why two files differ. Archives are compared member by member, order, metadata, compression and container
// apart; Go programs by build information, function and data; other files by bytes.
func Explain(ctx context.Context, shipped, rebuilt Content, opt ExplainOptions) (*Node, error) {
	d, err := Files(ctx, shipped, rebuilt)
	if err != nil {
		return nil, err
	}
	n := &Node{Status: NodeIdentical, Difference: &d, shipped: shipped.Size()}
	if d.Equal {
		return n, nil
	}
	n.Status = NodeDifferent
	e := &explainer{ctx: ctx, opt: opt}
	if e.a, err = artifact.Inspect(ctx, shipped, shipped.Size(), artifact.Options{Dir: opt.Dir, Name: opt.Name}); err != nil {
		return nil, err
	}
	defer e.a.Close()
	if e.b, err = artifact.Inspect(ctx, rebuilt, rebuilt.Size(), artifact.Options{Dir: opt.Dir, Name: opt.Name}); err != nil {
		return nil, err
	}
	defer e.b.Close()
	return n, e.pair(n, e.a.Root, e.b.Root)
}

type explainer struct {
	ctx  context.Context
	opt  ExplainOptions
	a, b *artifact.Artifact
}

// pair explains two members whose content differs.
func (e *explainer) pair(n *Node, a, b *artifact.Member) error {
	n.Format = a.Format
	if len(a.Members) > 0 && len(b.Members) > 0 && a.Problem == nil && b.Problem == nil {
		return e.container(n, a, b)
	}
	ca, err := e.a.Content(a)
	if err != nil {
		return err
	}
	defer ca.Close()
	cb, err := e.b.Content(b)
	if err != nil {
		return err
	}
	defer cb.Close()
	if n.Difference == nil {
		d, err := Files(e.ctx, ca, cb)
		if err != nil {
			return err
		}
		n.Difference = &d
	}
	if a.Format != b.Format {
		n.Causes = append(n.Causes, code.Cause{ID: CauseBytes, Text: fmt.Sprintf("another format: %s shipped, %s rebuilt", orUnknown(a.Format), orUnknown(b.Format))})
	}
	if a.Executable() && b.Executable() {
		n.program(ca, cb)
	}
	if len(n.Causes) == 0 {
		n.Causes = []code.Cause{{ID: CauseBytes, Text: n.Difference.String()}}
	}
	return nil
}

func orUnknown(format string) string {
	if format == "" {
		return "unknown"
	}
	return format
}

// program explains executables. What changes everything, such as another toolchain, comes before functions; a stamp
// or a path, which changes no code, comes after them.
func (n *Node) program(a, b Content) {
	info, _ := code.BuildInfo(a, b)
	var own string
	var after []code.Cause
	for _, c := range info {
		switch c.ID {
		case code.CauseVCS, code.CausePath:
			after = append(after, c)
		default:
			n.Causes = append(n.Causes, c)
		}
	}
	if own = code.MainModule(a); own == "" {
		own = code.MainModule(b)
	}
	r, ok := code.Programs(a, b)
	if ok {
		n.Code = r
		found := r.Causes(own)
		if len(n.Causes) > 0 { // which functions another compiler changed says nothing more
			for i := range found {
				found[i].Details = nil
			}
		}
		n.Causes = append(n.Causes, found...)
	}
	n.Causes = append(n.Causes, after...)
	n.Causes = append(n.Causes, code.Linked(a, b)...)
	if ok && len(n.Causes) == 0 {
		n.Causes = append(n.Causes, code.Cause{
			ID: code.CauseLayout, Text: "all functions and data are the same: " + n.Difference.String() + " in headers, tables or padding",
		})
	}
}

// container compares two archives of the same or of different kinds by their members.
func (e *explainer) container(n *Node, a, b *artifact.Member) error {
	others := make(map[string]*artifact.Member, len(b.Members))
	for _, m := range b.Members {
		others[m.Name] = m
	}
	meta := newMetadataGroups()
	var orderA []string
	for _, m := range a.Members {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		o := others[m.Name]
		if o == nil {
			n.Nodes = append(n.Nodes, &Node{Path: m.Path, Status: NodeShipped, Format: m.Format, shipped: m.Size})
			continue
		}
		delete(others, m.Name)
		orderA = append(orderA, m.Name)
		meta.add(m, o)
		if m.Type != o.Type {
			continue // named with the metadata
		}
		if m.SHA256 == o.SHA256 && m.Size == o.Size {
			n.Identical++
			continue
		}
		child := &Node{Path: m.Path, Status: NodeDifferent, shipped: m.Size}
		if err := e.pair(child, m, o); err != nil {
			return err
		}
		n.Nodes = append(n.Nodes, child)
	}
	for _, m := range b.Members {
		if others[m.Name] != nil {
			n.Nodes = append(n.Nodes, &Node{Path: m.Path, Status: NodeRebuilt, Format: m.Format})
		}
	}
	sort.SliceStable(n.Nodes, func(i, j int) bool { return n.Nodes[i].weight() < n.Nodes[j].weight() })
	n.Causes = append(n.Causes, meta.causes()...)
	if c, ok := order(orderA, b, others); ok {
		n.Causes = append(n.Causes, c)
	}
	n.Causes = append(n.Causes, streams(a, b, len(n.Nodes)+len(n.Causes) == 0)...)
	if len(n.Nodes)+len(n.Causes) == 0 {
		c := code.Cause{ID: CauseContainer, Text: "all members are the same: headers or padding of the archive differ"}
		if n.Difference != nil {
			c.Text += ", " + n.Difference.String()
		}
		n.Causes = append(n.Causes, c)
	}
	return nil
}

// weight sorts nodes: programs, then other content, then members of one side, then archives that only moved things.
func (n *Node) weight() int {
	switch {
	case artifact.ExecutableFormat(n.Format):
		return 0
	case n.Status != NodeDifferent:
		return 1
	case len(n.Causes) > 0 && n.Causes[0].ID == CauseBytes, len(n.Nodes) > 0:
		return 2
	}
	return 3
}

// order tells whether the members that both archives have come in another order.
func order(names []string, b *artifact.Member, onlyB map[string]*artifact.Member) (code.Cause, bool) {
	i := 0
	for _, m := range b.Members {
		if onlyB[m.Name] != nil {
			continue
		}
		if i < len(names) && names[i] != m.Name {
			return code.Cause{
				ID: CauseOrder, Remedy: "sort the members by name when packing",
				Text: fmt.Sprintf("order of members differs from member %d on: %s shipped, %s rebuilt", i+1, fault.Quote(names[i]), fault.Quote(m.Name)),
			}, true
		}
		i++
	}
	return code.Cause{}, false
}

// streams compares the compressed streams around two containers. The compression itself is only to blame when what
// was compressed is the same.
func streams(a, b *artifact.Member, rest bool) []code.Cause {
	var causes []code.Cause
	if len(a.Streams) != len(b.Streams) {
		return []code.Cause{{ID: CauseCompression, Text: fmt.Sprintf("compressed as %s shipped, %s rebuilt", a.Format, b.Format)}}
	}
	for i := range a.Streams {
		x, y := a.Streams[i], b.Streams[i]
		if x.Format != y.Format {
			causes = append(causes, code.Cause{ID: CauseCompression, Text: fmt.Sprintf("compressed with %s shipped, %s rebuilt", x.Format, y.Format)})
			continue
		}
		causes = append(causes, gzipHeader(x, y)...)
		if rest && len(causes) == 0 && x.SHA256 == y.SHA256 {
			causes = append(causes, code.Cause{
				ID: CauseCompression, Remedy: "compress with the same library, version and level",
				Text: fmt.Sprintf("the same content compressed differently: %d bytes shipped, %d rebuilt", x.Packed, y.Packed),
			})
		}
	}
	return causes
}

func gzipHeader(x, y artifact.Stream) []code.Cause {
	if x.Gzip == nil || y.Gzip == nil {
		return nil
	}
	var causes []code.Cause
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"operating system byte", osName(x.Gzip.OS), osName(y.Gzip.OS)},
		{"time", x.Gzip.ModTime, y.Gzip.ModTime},
		{"file name", fault.Quote(x.Gzip.Name), fault.Quote(y.Gzip.Name)},
		{"comment", fault.Quote(x.Gzip.Comment), fault.Quote(y.Gzip.Comment)},
		{"extra field", len(x.Gzip.Extra), len(y.Gzip.Extra)},
		{"compression level byte", x.Gzip.XFL, y.Gzip.XFL},
		{"flags", x.Gzip.Flags, y.Gzip.Flags},
	} {
		if f.a != f.b {
			causes = append(causes, code.Cause{
				ID: CauseGzipHeader, Text: fmt.Sprintf("gzip header: %s is %v shipped, %v rebuilt", f.name, f.a, f.b),
				Remedy: "pack with the same tool, on the same system, with gzip -n",
			})
		}
	}
	return causes
}

// osName names the operating system byte of RFC 1952; 19 is what zlib writes on macOS.
func osName(b byte) string {
	names := map[byte]string{0: "FAT", 3: "Unix", 7: "Macintosh", 10: "NTFS", 19: "macOS", 255: "unknown"}
	if n := names[b]; n != "" {
		return fmt.Sprintf("%d (%s)", b, n)
	}
	return fmt.Sprint(b)
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
