// Package takeover lets any program that contains package sandbox be the first process of a sandbox.
//
// It has an init function because that is the point: the program's own main, and the initialisation of whatever sorts
// after this package, must never run inside a sandbox. See inside.Called for why this cannot happen by accident.
package takeover

import (
	"os"

	"github.com/glassbuild/glassbuild/internal/rebuild/vcs"
	"github.com/glassbuild/glassbuild/internal/sandbox/inside"
)

func init() {
	switch {
	case inside.Called():
		inside.Main()
		os.Exit(inside.ExitBroken)
	case inside.CalledAsGit():
		vcs.Main()
		os.Exit(inside.ExitBroken)
	}
}
