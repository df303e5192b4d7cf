package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// wanted are the namespaces that have to differ from this process's.
var wanted = []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}

// describe fills Isolation, and refuses what is not isolated.
func (s *session) describe(ready wire.Ready) error {
	iso := Isolation{Runtime: "embedded", Carrier: s.carrier.kind, Kernel: kernel(), Limits: s.group.enforced(s.spec.Limits)}
	for _, c := range ready.Checks {
		iso.Checks = append(iso.Checks, Check(c))
	}
	if err := s.checkNamespaces(&iso, ready.TimeNS); err != nil {
		return err
	}
	if len(ready.Checks) == 0 {
		return fault.Inconclusivef("sandbox", "cannot isolate: nothing was checked from inside").WithCheck(CheckID)
	}
	for _, c := range iso.Checks {
		if !c.OK {
			return fault.Inconclusivef("sandbox", "cannot isolate: check %s: %s", c.Name, fault.Quote(c.Detail)).WithCheck(CheckID)
		}
	}
	iso.Network = "refused, listed"
	if !ready.Notify {
		iso.Network = "refused, not listed: another filter of this machine already asks its own supervisor"
	}
	if s.carrier.note != "" {
		iso.Notes = append(iso.Notes, Check{Name: "first process", Detail: s.carrier.note})
	}
	for _, n := range ready.Notes {
		iso.Notes = append(iso.Notes, Check{Name: n.Name, Detail: n.Detail})
	}
	if !ready.TimeNS {
		iso.Notes = append(iso.Notes, Check{Name: "time namespace", Detail: "not available: monotonic and boot-time clocks are the machine's"})
	}
	s.isolation = iso
	return nil
}

// checkNamespaces compares the namespaces of the first process's children with this process's own.
func (s *session) checkNamespaces(iso *Isolation, time bool) error {
	pid := s.process.Process.Pid
	names := slices.Clone(wanted)
	if time {
		names = append(names, "time_for_children")
	}
	for _, name := range names {
		own, err := os.Readlink("/proc/self/ns/" + strings.TrimSuffix(name, "_for_children"))
		if err != nil {
			return fault.Inconclusivef("sandbox", "cannot look at this process's namespaces: %w", err).WithCheck(CheckID)
		}
		inside, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		ok := err == nil && inside != own
		detail := "its own"
		if !ok {
			detail = fmt.Sprintf("shared with the host, or unknown: %v", err)
		}
		name = strings.TrimSuffix(name, "_for_children")
		iso.Checks = append(iso.Checks, Check{Name: "namespace " + name, OK: ok, Detail: detail})
		iso.Namespaces = append(iso.Namespaces, name)
	}
	slices.Sort(iso.Namespaces)
	return nil
}

func (s *session) notified() bool { return s.isolation.Network == "refused, listed" }

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}
