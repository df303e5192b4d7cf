//go:build !linux

package sandbox

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// CheckID is the check that an error of this package decides.
const CheckID = "sandbox.isolation"

// Embedded returns the runtime that needs nothing but this program. It works on Linux only.
func Embedded() Runtime { return embeddedRuntime{} }

type embeddedRuntime struct{}

func (embeddedRuntime) Name() string { return "embedded" }

func (embeddedRuntime) Probe(context.Context) (Capabilities, error) {
	return Capabilities{Findings: []Finding{{
		Name: "isolation", Needed: true, Detail: "rebuilding needs Linux", Remedy: "run glassbuild verify on a Linux machine",
	}}}, nil
}

func (embeddedRuntime) Start(context.Context, Spec) (Session, error) {
	return nil, fault.Inconclusivef("sandbox", "rebuilding needs Linux").WithCheck(CheckID).
		WithHint("run it on a Linux machine, or in a Linux virtual machine")
}
