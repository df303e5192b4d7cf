package verify

import (
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

const (
	maxRegions      = 64  // of one difference in a verdict; glassbuild diff has all of them
	maxRegionRanges = 128 // of one region
)

// regions takes from an explanation what a verdict keeps of it: every part with a cause, and the parts without one that
// differ and have no parts below them.
func regions(root *tree.Node) []verdict.Region {
	var list []verdict.Region
	var walk func(n *tree.Node, nested bool)
	walk = func(n *tree.Node, nested bool) {
		if len(list) < maxRegions && (len(n.Causes) > 0 || len(n.Nodes) == 0 && n.Status != tree.Identical && n.Status != tree.Equivalent) {
			list = append(list, region(n, nested))
		}
		for _, c := range n.Nodes {
			walk(c, nested || c.Kind == tree.Member)
		}
	}
	walk(root, false)
	return list
}

// region leaves out the ranges of what lies in a member: they are offsets in that member, not in the file.
func region(n *tree.Node, nested bool) verdict.Region {
	r := verdict.Region{Name: n.Path, Kind: string(n.Kind), Status: string(n.Status)}
	if len(n.Causes) > 0 {
		r.Cause, r.Text = n.Causes[0].ID, n.Causes[0].Text
	}
	if n.Shipped != nil {
		r.Place = n.Shipped.Place
		r.Ranges = ranges(n.Shipped.Ranges, nested)
	}
	if n.Rebuilt != nil {
		r.RebuiltPlace = n.Rebuilt.Place
		r.RebuiltRanges = ranges(n.Rebuilt.Ranges, nested)
	}
	return r
}

func ranges(list []tree.Range, nested bool) []verdict.ByteRange {
	if nested {
		return nil
	}
	var out []verdict.ByteRange
	for _, r := range list[:min(len(list), maxRegionRanges)] {
		out = append(out, verdict.ByteRange{Offset: r.Offset, Size: r.Size})
	}
	return out
}
