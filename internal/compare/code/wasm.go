package code

import "github.com/glassbuild/glassbuild/internal/compare/tree"

var wasmMagic = []byte("\x00asm")

func explainWasm(n *tree.Node, shipped, rebuilt []byte) {}
