package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// CheckID is the check that an error of this package decides.
const CheckID = "sandbox.isolation"

// Embedded returns the runtime that needs nothing but this program.
func Embedded() Runtime { return embeddedRuntime{findCarrier} }

type embeddedRuntime struct {
	carrier func() (carrier, error)
}

func (embeddedRuntime) Name() string { return EmbeddedName }

// namespaces that the first process is born into. It enters the cgroup and time namespaces itself.
const cloneFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

func (r embeddedRuntime) Start(ctx context.Context, spec Spec) (Session, error) {
	return begin(ctx, spec, r.carrier, func(c carrier) maker { return &ownMaker{carrier: c} })
}

// ownMaker has the kernel make the namespaces together with the first process.
type ownMaker struct {
	carrier  carrier
	identity wire.Identity
}

func (m *ownMaker) command(_ *session, setup *wire.Setup, control, pass *os.File) (*exec.Cmd, error) {
	m.identity = setup.Identity
	return &exec.Cmd{
		Path:        m.carrier.path,
		Args:        []string{wire.InitName},
		Env:         []string{wire.OneProcessor},
		Dir:         "/",
		ExtraFiles:  []*os.File{control, pass}, // wire.ControlFD, wire.PassFD
		SysProcAttr: attributes(),
	}, nil
}

// meet gives the first process its ids. It waits for what it is to do until it has them.
func (m *ownMaker) meet(_ context.Context, s *session) (int, error) {
	return s.process.Process.Pid, mapIDs(s.process.Process.Pid, m.identity)
}

// kill ends every process inside: the kernel does so when a pid namespace's first process ends.
func (m *ownMaker) kill(s *session) { _ = s.process.Process.Kill() }

func (m *ownMaker) explain(err error) error { return explainStart(err) }

func (m *ownMaker) describe(iso *Isolation) {
	iso.Runtime, iso.Carrier = EmbeddedName, m.carrier.kind
	if m.carrier.note != "" {
		iso.Notes = append(iso.Notes, Check{Name: "first process", Detail: m.carrier.note})
	}
}

func (m *ownMaker) clear(*session) error { return nil }

// attributes of the first process. The capabilities that the new user namespace gives are made ambient, so that they survive
// the execution of the first process whatever user id it has.
//
// The child borrows this process's memory until it executes, as in vfork(2): copying and dropping the page tables of a large
// process takes longer than all that the child does. The Go runtime does so by itself, but not for a child with ids to be
// mapped, which would wait for them while this thread waits for it: so it is given none, and mapIDs maps them afterwards.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: cloneFlags | unix.CLONE_VM | unix.CLONE_VFORK, Pdeathsig: syscall.SIGKILL, Setsid: true}
	for c := range lastCapability() + 1 {
		a.AmbientCaps = append(a.AmbientCaps, uintptr(c))
	}
	return a
}

// mapIDs gives the first process its ids, before it is told anything. One of each kind is mapped, to this process's own:
// nothing inside can own more than this process owns. Further groups were left behind by whoever may do that (leaveGroups);
// from here on nobody can.
func mapIDs(pid int, id wire.Identity) error {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for _, one := range []struct{ name, text string }{
		{"setgroups", "deny"},
		{"gid_map", fmt.Sprintf("%d %d 1\n", id.GID, os.Getegid())},
		{"uid_map", fmt.Sprintf("%d %d 1\n", id.UID, os.Geteuid())},
	} {
		fd, err := unix.Open(dir+one.name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte(one.text))
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	return nil
}

// leaveGroups gives up the further groups of this thread, and so of what it starts. Who may not do that keeps them
// (setgroups(2)): in a user namespace whose groups nobody may change, as unshare(1) and some rootless containers make them,
// nobody may.
func leaveGroups() {
	if n, err := syscall.Getgroups(); err == nil && len(n) > 0 {
		_, _, _ = syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
	}
}

// lastCapability returns the number of the kernel's last capability; CAP_CHECKPOINT_RESTORE, 40, where /proc hides it.
func lastCapability() int {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if n, bad := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && bad == nil && n > 0 && n < 64 {
		return n
	}
	return unix.CAP_CHECKPOINT_RESTORE
}
