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

// Open returns the runtime that a person named.
func Open(ctx context.Context, name string, folder func() (string, error)) (Runtime, error) {
	if name == "" || name == EmbeddedName {
		return Embedded(), nil
	}
	return OCI(ctx, name, folder)
}

// OCI makes no runtime here.
func OCI(context.Context, string, func() (string, error)) (Runtime, error) {
	return nil, fault.Usagef("--sandbox", "OCI runtimes need Linux")
}

// Found returns the OCI runtimes of this machine, of which there are none.
func Found() []string { return nil }

type embeddedRuntime struct{}

func (embeddedRuntime) Name() string { return EmbeddedName }

func (embeddedRuntime) Probe(context.Context) (Capabilities, error) {
	return Capabilities{Findings: []Finding{{
		Name: "isolation", Needed: true, Detail: "rebuilding needs Linux", Remedy: "run glassbuild verify on a Linux machine",
	}}}, nil
}

func (embeddedRuntime) Start(context.Context, Spec) (Session, error) {
	return nil, fault.Inconclusivef("sandbox", "rebuilding needs Linux").WithCheck(CheckID).
		WithHint("run it on a Linux machine, or in a Linux virtual machine")
}
