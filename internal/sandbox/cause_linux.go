package sandbox

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// machine is what can forbid a sandbox. The zero value forbids nothing.
type machine struct {
	major, minor int    // of the kernel
	usernsMax    string // user.max_user_namespaces
	usernsClone  string // kernel.unprivileged_userns_clone, Debian's switch
	apparmor     string // kernel.apparmor_restrict_unprivileged_userns, Ubuntu's switch
	profile      string // the AppArmor profile of this process
	filtered     bool   // a system call filter is on this process already
	container    string // "docker", "podman", "kubernetes", "a container", or ""
	root         bool
	program      string
}

func lookAtMachine() machine {
	m := machine{
		usernsMax:   setting("/proc/sys/user/max_user_namespaces"),
		usernsClone: setting("/proc/sys/kernel/unprivileged_userns_clone"),
		apparmor:    setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
		profile:     setting("/proc/self/attr/apparmor/current"),
		root:        os.Geteuid() == 0,
	}
	m.major, m.minor = release()
	status := setting("/proc/self/status")
	m.filtered = strings.Contains(status, "\nSeccomp:\t2")
	m.container = container()
	m.program, _ = os.Executable()
	return m
}

func setting(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.TrimRight(string(data), "\x00"))
}

func release() (major, minor int) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0, 0
	}
	parts := strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3)
	if len(parts) > 1 {
		major, _ = strconv.Atoi(parts[0])
		minor, _ = strconv.Atoi(parts[1])
	}
	return major, minor
}

func container() string {
	exists := func(name string) bool { _, err := os.Stat(name); return err == nil }
	switch {
	case exists("/run/.containerenv"):
		return "podman"
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "":
		return "kubernetes"
	case exists("/.dockerenv"):
		return "docker"
	case os.Getenv("container") != "":
		return "a container"
	}
	return ""
}

// containerFlags let a container make sandboxes of its own: its default profiles refuse user namespaces and mounts, and
// its masks over /proc keep a new one from being mounted. None of them gives the container more of the host's rights
// than --privileged would; that flag is not needed.
const containerFlags = "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"

// remedy returns what forbids the sandbox and what the person at the machine can do. at is what was attempted, "" for
// the very start of the first process.
func (m machine) remedy(at string, errno syscall.Errno) (cause, hint string) {
	denied := errno == unix.EPERM || errno == unix.EACCES
	switch {
	case m.major > 0 && (m.major < 5 || m.major == 5 && m.minor < 12):
		return "the kernel is older than Linux 5.12", "run it on a machine with Linux 5.12 or newer"
	case m.usernsMax == "0":
		return "user namespaces are switched off (user.max_user_namespaces is 0)", "sudo sysctl -w user.max_user_namespaces=15000"
	case errno == unix.ENOSPC && at == "":
		return "no further user namespace may be made (user.max_user_namespaces is " + m.usernsMax + ")", "sudo sysctl -w user.max_user_namespaces=15000"
	case m.usernsClone == "0" && !m.root && denied:
		return "unprivileged user namespaces are switched off (kernel.unprivileged_userns_clone is 0)", "sudo sysctl -w kernel.unprivileged_userns_clone=1"
	case m.apparmor == "1" && !m.root && denied && m.container == "":
		return "AppArmor restricts unprivileged user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)", m.appArmorHint()
	case m.container != "" && denied:
		return "the profile of " + m.container + " that this runs in refuses it", m.containerHint()
	case denied && m.filtered:
		return "a system call filter on this process refuses it", "start it without the filter, or, in a container, with " + containerFlags
	case denied && m.profile != "" && !strings.HasPrefix(m.profile, "unconfined"):
		return "the security profile " + strconv.Quote(m.profile) + " refuses it", "start it outside that profile, or, in a container, with " + containerFlags
	case errno == unix.EINVAL && strings.Contains(at, "pivot_root"):
		return "the machine's root is an initial ramdisk, which cannot be left", "switch to a real root file system first (switch_root)"
	case errno == unix.EINVAL && at == "":
		return "the kernel was built without one of the namespaces user, mount, pid, net, ipc, uts", "use a kernel with CONFIG_NAMESPACES and its parts, CONFIG_USER_NS above all"
	case errno == unix.EPERM && at == "":
		return "the machine refuses user namespaces, as it does in a chroot", "run it outside a chroot; see `glassbuild doctor`"
	}
	return "", "see what `glassbuild doctor` says of this machine"
}

func (m machine) appArmorHint() string {
	return "sudo tee /etc/apparmor.d/glassbuild <<'END'\n" +
		"abi <abi/4.0>,\ninclude <tunables/global>\n" +
		"profile glassbuild " + m.program + " flags=(unconfined) {\n  userns,\n}\nEND\n" +
		"sudo apparmor_parser -r /etc/apparmor.d/glassbuild"
}

func (m machine) containerHint() string {
	switch m.container {
	case "kubernetes":
		return "in the pod's securityContext: seccompProfile {type: Unconfined}, appArmorProfile {type: Unconfined}, procMount: Unmasked (with hostUsers: false)"
	case "podman":
		return "start the container with --security-opt seccomp=unconfined --security-opt label=disable --security-opt unmask=ALL"
	}
	return "start the container with " + containerFlags
}

// explainStart turns why a sandbox could not be started into an error.
func explainStart(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	at, errno, text := "", syscall.Errno(0), err.Error()
	var trouble *wire.Fault
	if errors.As(err, &trouble) {
		at, errno = trouble.What, syscall.Errno(trouble.Errno)
		if at == "" {
			at = trouble.Stage
		}
		if trouble.Blame || trouble.Missing || trouble.Limit {
			return fault.Inconclusivef("sandbox", "%s", text).WithCheck(CheckID)
		}
	}
	errors.As(err, &errno)
	cause, hint := lookAtMachine().remedy(at, errno)
	if cause != "" {
		text = cause + ": " + text
	}
	return fault.Inconclusivef("sandbox", "cannot isolate: %s", text).WithCheck(CheckID).WithHint("%s", hint)
}
