package compare

import (
	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// isProgram tells whether a member is machine code that is compared by function.
func isProgram(m *artifact.Member) bool {
	switch m.Format {
	case "elf", "pe", "macho", "macho-fat", "wasm", "kernel-module":
		return true
	}
	return false
}

// program explains executables.
func (e *explainer) program(n *tree.Node, a, b Content) error {
	x, err := contentBytes(a)
	if err != nil || x == nil {
		return err
	}
	y, err := contentBytes(b)
	if err != nil || y == nil {
		return err
	}
	code.Explain(n, x, y)
	return nil
}

// contentBytes returns all of a content in memory, nil when it is too large for that.
func contentBytes(c Content) ([]byte, error) {
	if b := inMemory(c); b != nil {
		return b, nil
	}
	if c.Size() > maxProgram {
		return nil, nil
	}
	b := make([]byte, c.Size())
	if n, err := c.ReadAt(b, 0); n < len(b) {
		return nil, fault.Inconclusivef("comparison", "cannot read: %w", err)
	}
	return b, nil
}

// inMemory returns the bytes of a content that is mapped, nil for others.
func inMemory(c Content) []byte {
	switch c := c.(type) {
	case held:
		return inMemory(c.Content)
	case *diskFile:
		return c.Bytes()
	}
	return nil
}
