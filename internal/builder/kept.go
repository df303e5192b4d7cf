package builder

import (
	"runtime"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/store"
)

// Kept tells whether the toolchain that req asks for is in the store already. It says nothing about its bytes: Prepare
// hashes them.
func Kept(s *store.Store, req Request) bool {
	if req.Platform == "" {
		req.Platform = runtime.GOOS + "/" + runtime.GOARCH
	}
	t := &toolchain{version: req.Go, without: slices.Sorted(slices.Values(req.Without)),
		module: "v0.0.1-go" + req.Go + "." + strings.ReplaceAll(req.Platform, "/", "-")}
	_, ok := s.Tree(toolchainKind, t.treeKey())
	return ok
}
