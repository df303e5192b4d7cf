package code

import (
	"bytes"
	"debug/macho"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

func isFat(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xca, 0xfe, 0xba, 0xbe}) && len(data) > 8
}

// explainFat compares the slices of two fat Mach-O files, processor by processor.
func explainFat(n *tree.Node, shipped, rebuilt []byte) {
	a, errA := macho.NewFatFile(bytes.NewReader(shipped))
	b, errB := macho.NewFatFile(bytes.NewReader(rebuilt))
	if errA != nil || errB != nil || len(a.Arches) > maxSlices || len(b.Arches) > maxSlices {
		return
	}
	others := make(map[macho.Cpu]macho.FatArch)
	for _, s := range b.Arches {
		others[s.Cpu] = s
	}
	name := func(s macho.FatArch) string { return "slice " + s.Cpu.String() }
	for _, s := range a.Arches {
		x := part64(shipped, s.Offset, s.Size)
		child := &tree.Node{Path: name(s), Kind: tree.Member, Status: tree.OnlyShipped, Format: "macho", Shipped: &tree.Side{Size: int64(len(x))}}
		o, ok := others[s.Cpu]
		if !ok {
			child.Causes = []tree.Cause{{ID: tree.CauseMember, Text: fmt.Sprintf("a slice for %s only in the shipped file", s.Cpu)}}
			n.Add(child)
			continue
		}
		delete(others, s.Cpu)
		y := part64(rebuilt, o.Offset, o.Size)
		child.Rebuilt = &tree.Side{Size: int64(len(y))}
		child.Status = tree.Different
		if bytes.Equal(x, y) {
			child.Status = tree.Identical
		} else {
			Explain(child, x, y)
		}
		n.Add(child)
	}
	for _, s := range b.Arches {
		if _, alone := others[s.Cpu]; alone {
			n.Add(&tree.Node{Path: name(s), Kind: tree.Member, Status: tree.OnlyRebuilt, Format: "macho", Rebuilt: &tree.Side{Size: int64(s.Size)},
				Causes: []tree.Cause{{ID: tree.CauseMember, Text: fmt.Sprintf("a slice for %s only in the rebuilt file", s.Cpu)}}})
		}
	}
}
