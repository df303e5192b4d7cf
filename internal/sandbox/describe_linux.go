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
	iso := Isolation{Kernel: kernel(), Limits: s.group.enforced(s.spec.Limits)}
	s.maker.describe(&iso)
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
	iso.Network = refusedAndListed
	if !ready.Notify {
		iso.Network = "refused, not listed: another filter of this machine already asks its own supervisor"
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
	names := slices.Clone(wanted)
	if time {
		names = append(names, "time_for_children")
	}
	for _, name := range names {
		c, err := compareNamespace(s.first, name)
		if err != nil {
			return fault.Inconclusivef("sandbox", "cannot look at this process's namespaces: %w", err).WithCheck(CheckID)
		}
		iso.Checks = append(iso.Checks, c)
		iso.Namespaces = append(iso.Namespaces, strings.TrimPrefix(c.Name, "namespace "))
	}
	slices.Sort(iso.Namespaces)
	return nil
}

// compareNamespace looks whether a process has a namespace other than this process's own.
func compareNamespace(pid int, name string) (Check, error) {
	short := strings.TrimSuffix(name, "_for_children")
	own, err := os.Readlink("/proc/self/ns/" + short)
	if err != nil {
		return Check{}, err
	}
	inside, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
	c := Check{Name: "namespace " + short, OK: err == nil && inside != own, Detail: "its own"}
	switch {
	case err != nil:
		c.Detail = fmt.Sprintf("unknown: %v", err)
	case !c.OK:
		c.Detail = "shared with the host"
	}
	return c, nil
}

func (s *session) notified() bool { return s.isolation.Network == refusedAndListed }

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}
