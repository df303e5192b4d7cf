// Command initmain is the first process of a sandbox, and git's stand-in inside it, as a small static program.
//
// It is built by `go generate ./internal/sandbox` into ../embedded and run from memory. Called in any other way it does
// nothing.
package main

import (
	"os"

	_ "github.com/glassbuild/glassbuild/internal/sandbox/takeover" // does everything
)

func main() { os.Exit(125) }
