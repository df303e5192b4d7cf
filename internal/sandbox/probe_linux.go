package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

func (r embeddedRuntime) Probe(ctx context.Context) (Capabilities, error) {
	return probe(ctx, r, r.carrier)
}

func (r *ociRuntime) Probe(ctx context.Context) (Capabilities, error) { return probe(ctx, r, r.find) }

// probe makes a sandbox, empty but for one overlay, and says what came of it.
func probe(ctx context.Context, r Runtime, find func() (carrier, error)) (Capabilities, error) {
	if err := ctx.Err(); err != nil {
		return Capabilities{}, err
	}
	m := lookAtMachine()
	var out Capabilities
	kernelOK := m.major > 5 || m.major == 5 && m.minor >= 12
	out.add(Finding{Name: "kernel", OK: kernelOK, Needed: true, Detail: kernel(), Remedy: "run it on a machine with Linux 5.12 or newer"})
	program, err := find()
	if err != nil {
		return out, fault.Inconclusivef("sandbox", "first process: %w", err).WithCheck(CheckID)
	}
	out.add(Finding{
		Name: "first process", OK: program.kind == "memory", Detail: strings.TrimSuffix(program.kind+": "+program.note, ": "),
		Remedy: "build with `make build`: the program then holds a small static one and starts sandboxes faster",
	})
	out.add(Finding{
		Name: "git stand-in", OK: program.fits, Detail: fmt.Sprintf("needs shared libraries: %t", !program.fits),
		Remedy: "build with `make build` or with CGO_ENABLED=0; Go programs with VCS stamps cannot be rebuilt without it",
	})
	empty, err := os.MkdirTemp("", "glassbuild-probe-")
	if err != nil {
		return out, fault.Inconclusivef("sandbox", "temporary folder: %w", err).WithCheck(CheckID)
	}
	defer os.RemoveAll(empty)
	session, err := r.Start(ctx, Spec{Mounts: []Mount{{Kind: Overlay, Source: empty, Target: "/probe"}}})
	if err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return out, err
		}
		out.add(Finding{Name: "isolation", Needed: true, Detail: err.Error(), Remedy: fault.HintOf(err)})
		return out, nil
	}
	defer session.Close()
	iso := session.Isolation()
	out.add(Finding{
		Name: "isolation", OK: len(iso.Checks) > 0, Needed: true,
		Detail: fmt.Sprintf("namespaces %s; %d checks from inside hold", strings.Join(iso.Namespaces, ", "), len(iso.Checks)),
	})
	out.optional(iso)
	return out, nil
}

func (c *Capabilities) add(f Finding) {
	if f.OK {
		f.Remedy = ""
	}
	c.Findings = append(c.Findings, f)
}

// optional adds what a sandbox gets better with.
func (c *Capabilities) optional(iso Isolation) {
	c.add(Finding{
		Name: "time namespace", OK: slices.Contains(iso.Namespaces, "time"),
		Detail: "lets two runs differ in their monotonic and boot-time clocks", Remedy: "needs Linux 6.0 with CONFIG_TIME_NS",
	})
	c.add(Finding{
		Name: "refused connections are listed", OK: iso.Network == refusedAndListed, Detail: iso.Network,
		Remedy: "start it where no other seccomp listener is on this process",
	})
	for _, n := range iso.Notes {
		if n.Name == "mount /probe" {
			c.add(Finding{Name: "overlay", Detail: n.Detail, Remedy: "needs Linux 6.6; until then sources are copied, which takes longer"})
		}
	}
	if !slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Name == "overlay" }) {
		c.add(Finding{Name: "overlay", OK: true, Detail: "sources are shown writable without being copied"})
	}
	for _, l := range iso.Limits {
		if l.Limit == LimitMemory || l.Limit == LimitProcesses {
			c.add(Finding{
				Name: "limit on " + l.Limit, OK: strings.HasPrefix(l.By, "cgroup"), Detail: l.By + ": " + l.Detail,
				Remedy: "let the user have a control group: systemd-run --user --scope -p Delegate=yes glassbuild ..., or run it as root",
			})
		}
	}
}
