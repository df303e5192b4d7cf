package compare

import (
	"fmt"
	"sort"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// metadataGroups gathers metadata that differ by property, so that 5,000 times make one line.
type metadataGroups struct {
	first map[string]string
	count map[string]int
}

func newMetadataGroups() *metadataGroups {
	return &metadataGroups{first: make(map[string]string), count: make(map[string]int)}
}

func (g *metadataGroups) add(a, b *artifact.Member) {
	for _, d := range Metadata(a, b) {
		if g.count[d.Property]++; g.count[d.Property] == 1 {
			g.first[d.Property] = fmt.Sprintf("%s %s shipped, %s rebuilt", fault.Quote(a.Path), fault.Quote(d.Shipped), fault.Quote(d.Rebuilt))
		}
	}
}

func (g *metadataGroups) causes() []code.Cause {
	var properties []string
	for p := range g.count {
		properties = append(properties, p)
	}
	sort.Slice(properties, func(i, j int) bool { // times last: they are the most harmless
		return properties[i] != "mtime" && (properties[j] == "mtime" || properties[i] < properties[j])
	})
	var causes []code.Cause
	for _, p := range properties {
		c := code.Cause{ID: CauseMetadata, Text: fmt.Sprintf("%s differs: %s", fault.Quote(p), g.first[p])}
		if g.count[p] > 1 {
			c.Text = fmt.Sprintf("%s of %d members differs, first %s", fault.Quote(p), g.count[p], g.first[p])
		}
		if p == "mtime" {
			c.ID, c.Remedy = CauseMTime, "set all times from the commit (SOURCE_DATE_EPOCH) when packing"
		}
		causes = append(causes, c)
	}
	return causes
}

const (
	maxNodesShown = 10 // members of one container that a text names
	maxTextDepth  = 6
)

// Text explains for people, the most important cause in the first line. Its length follows the number of causes, never
// the number of bytes or moved addresses.
func (n *Node) Text() string {
	var b strings.Builder
	n.write(&b, 0)
	return b.String()
}

func (n *Node) write(b *strings.Builder, depth int) {
	indent := strings.Repeat("  ", depth)
	name := ""
	if n.Path != "" {
		name = fault.Quote(n.Path) + ": "
	}
	switch {
	case n.Status == NodeIdentical:
		fmt.Fprintf(b, "%s%sidentical\n", indent, name)
		return
	case n.Status == NodeShipped:
		fmt.Fprintf(b, "%s%sonly shipped, %d bytes\n", indent, name, n.shipped)
		return
	case n.Status == NodeRebuilt:
		fmt.Fprintf(b, "%s%sonly rebuilt\n", indent, name)
		return
	case depth > maxTextDepth:
		fmt.Fprintf(b, "%s%sdifferent\n", indent, name)
		return
	}
	for i, child := range n.Nodes {
		if i == maxNodesShown {
			fmt.Fprintf(b, "%sand %d more members differ\n", indent, len(n.Nodes)-i)
			break
		}
		child.write(b, depth)
	}
	for i, c := range n.Causes {
		fmt.Fprintf(b, "%s%s%s [%s]\n", indent, name, c.Text, c.ID)
		for _, d := range c.Details {
			fmt.Fprintf(b, "%s    %s\n", indent, d)
		}
		if c.Remedy != "" && i == 0 {
			fmt.Fprintf(b, "%s    remedy: %s\n", indent, c.Remedy)
		}
	}
	if n.Identical > 0 {
		fmt.Fprintf(b, "%s%s%d members are identical\n", indent, name, n.Identical)
	}
}
