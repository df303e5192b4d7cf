// Command initmain is the first process of a sandbox, and git's stand-in inside it, as a small static program.
//
// It is built by `go generate ./internal/sandbox` into ../embedded and run from memory. Called in any other way it does
// nothing.
package main

import (
	"os"
	"runtime"

	"github.com/glassbuild/glassbuild/internal/rebuild/vcs"
	"github.com/glassbuild/glassbuild/internal/sandbox/inside"
)

// The main goroutine has to stay on the process's main thread: time namespaces and /proc/self speak of that one.
func init() { runtime.LockOSThread() }

func main() {
	switch {
	case inside.Called():
		inside.Main()
	case inside.CalledAsGit():
		vcs.Main()
	}
	os.Exit(inside.ExitBroken)
}
