package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// What follows is the part of config.json that is used here (OCI runtime-spec, config.md and config-linux.md, version 1.0).
type (
	bundleConfig struct {
		Version  string        `json:"ociVersion"`
		Root     bundleRoot    `json:"root"`
		Hostname string        `json:"hostname"`
		Mounts   []bundleMount `json:"mounts"`
		Process  bundleProcess `json:"process"`
		Linux    bundleLinux   `json:"linux"`
	}
	bundleRoot struct {
		Path     string `json:"path"`
		Readonly bool   `json:"readonly"`
	}
	bundleMount struct {
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Source      string   `json:"source"`
		Options     []string `json:"options"`
	}
	bundleProcess struct {
		User            map[string]int      `json:"user"`
		Args            []string            `json:"args"`
		Env             []string            `json:"env"`
		Cwd             string              `json:"cwd"`
		Capabilities    map[string][]string `json:"capabilities"`
		Rlimits         []bundleRlimit      `json:"rlimits"`
		NoNewPrivileges bool                `json:"noNewPrivileges"`
	}
	bundleRlimit struct {
		Type string `json:"type"`
		Hard uint64 `json:"hard"`
		Soft uint64 `json:"soft"`
	}
	bundleLinux struct {
		Namespaces    []map[string]string `json:"namespaces"`
		UIDMappings   []bundleIDs         `json:"uidMappings"`
		GIDMappings   []bundleIDs         `json:"gidMappings"`
		Resources     *bundleResources    `json:"resources,omitempty"`
		Seccomp       bundleSeccomp       `json:"seccomp"`
		MaskedPaths   []string            `json:"maskedPaths"`
		ReadonlyPaths []string            `json:"readonlyPaths"`
	}
	bundleIDs struct {
		ContainerID int `json:"containerID"`
		HostID      int `json:"hostID"`
		Size        int `json:"size"`
	}
	bundleResources struct {
		Memory map[string]int64 `json:"memory"`
		Pids   map[string]int64 `json:"pids"`
	}
	bundleSeccomp struct {
		DefaultAction string        `json:"defaultAction"`
		Architectures []string      `json:"architectures"`
		Syscalls      []bundleCalls `json:"syscalls"`
	}
	bundleCalls struct {
		Names    []string         `json:"names"`
		Action   string           `json:"action"`
		ErrnoRet uint             `json:"errnoRet"`
		Args     []bundleArgument `json:"args,omitempty"`
	}
	bundleArgument struct {
		Index    uint   `json:"index"`
		Value    uint64 `json:"value"`
		ValueTwo uint64 `json:"valueTwo,omitempty"`
		Op       string `json:"op"`
	}
)

// firstPowers are the capabilities of the first process over what the runtime made: it builds the root of the steps, looks
// at them and reads what they leave. A step has none in any set, whoever made the sandbox.
var firstPowers = map[string]uint{
	"CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE, "CAP_FOWNER": unix.CAP_FOWNER, "CAP_KILL": unix.CAP_KILL, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN,
	"CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE, "CAP_SETFCAP": unix.CAP_SETFCAP, "CAP_SETPCAP": unix.CAP_SETPCAP,
	"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_SYS_RESOURCE": unix.CAP_SYS_RESOURCE, "CAP_SYS_TIME": unix.CAP_SYS_TIME,
}

// building are the calls of the filter's table that the first process makes itself. Steps have the whole table on them.
var building = []string{"mount", "umount2", "pivot_root", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "mount_setattr"}

// masked and readonly cover what a runtime shows in /proc until the first process covers far more of it.
var (
	masked = []string{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/proc/sysrq-trigger", "/proc/interrupts", "/proc/kmsg", "/proc/kallsyms"}
	readonly = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"}
)

// sourceDir holds what the root will be built from, until it is.
const sourceDir = "/sources"

// writeBundle lays an OCI bundle into dir: a root that holds nothing but the first process, and a configuration. Sources of
// mounts are bound into that root, and setup is told where.
func writeBundle(dir string, setup *wire.Setup, program carrier) error {
	root := filepath.Join(dir, "rootfs")
	for _, name := range []string{"proc", "dev", "tmp", sourceDir} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return err
		}
	}
	if err := copyProgram(program.path, filepath.Join(root, wire.InitPath)); err != nil {
		return err
	}
	setup.Hosted = true
	c := configure(setup)
	for i := range setup.Mounts {
		m := &setup.Mounts[i]
		if m.Kind == wire.Scratch {
			continue
		}
		at := sourceDir + "/" + strconv.Itoa(i)
		if err := makePlace(filepath.Join(root, at), m.Directory); err != nil {
			return err
		}
		c.Mounts = append(c.Mounts, bundleMount{at, "bind", m.Source, []string{"rbind", "rprivate"}})
		m.Source = at
	}
	text, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600)
}

func makePlace(name string, directory bool) error {
	if directory {
		return os.Mkdir(name, 0o755)
	}
	return os.WriteFile(name, nil, 0o644)
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// configure turns a plan into what a runtime is told of it.
func configure(setup *wire.Setup) *bundleConfig {
	one := func(id int) []bundleIDs { return []bundleIDs{{ContainerID: 0, HostID: id, Size: 1}} }
	powers := slices.Sorted(maps.Keys(firstPowers))
	c := &bundleConfig{
		Version: "1.0.0", Root: bundleRoot{Path: "rootfs", Readonly: true}, Hostname: setup.Identity.Hostname,
		Mounts: []bundleMount{
			{"/proc", "proc", "proc", []string{"nosuid", "noexec", "nodev", "hidepid=2"}},
			{"/dev", "tmpfs", "tmpfs", []string{"nosuid", "mode=755", "size=65536"}},
		},
		Process: bundleProcess{
			User: map[string]int{"uid": 0, "gid": 0}, Args: []string{wire.InitPath}, Env: []string{wire.OneProcessor, wire.NoHome}, Cwd: "/",
			Capabilities: map[string][]string{"bounding": powers, "effective": powers, "permitted": powers}, NoNewPrivileges: true,
		},
		Linux: bundleLinux{
			UIDMappings: one(os.Geteuid()), GIDMappings: one(os.Getegid()), Seccomp: firstFilter(), MaskedPaths: masked, ReadonlyPaths: readonly,
			Resources: groupLimits(setup),
		},
	}
	for _, kind := range []string{"user", "mount", "pid", "network", "ipc", "uts", "cgroup"} {
		c.Linux.Namespaces = append(c.Linux.Namespaces, map[string]string{"type": kind})
	}
	for _, l := range setup.Rlimits {
		if name := namedLimits[l.Resource]; name != "" {
			c.Process.Rlimits = append(c.Process.Rlimits, bundleRlimit{name, l.Value, l.Value})
		}
	}
	return c
}

// namedLimits are the limits of steps that the first process can live with too; the others it sets itself, on each step.
var namedLimits = map[int]string{
	unix.RLIMIT_CORE: "RLIMIT_CORE", unix.RLIMIT_MEMLOCK: "RLIMIT_MEMLOCK", unix.RLIMIT_MSGQUEUE: "RLIMIT_MSGQUEUE",
	unix.RLIMIT_NICE: "RLIMIT_NICE", unix.RLIMIT_RTPRIO: "RLIMIT_RTPRIO", unix.RLIMIT_SIGPENDING: "RLIMIT_SIGPENDING",
}

// firstFilter is the table of the steps' filter as a runtime takes it, but for what the first process has to do itself.
func firstFilter() bundleSeccomp {
	const refuse = "SCMP_ACT_ERRNO"
	eperm, enosys := uint(unix.EPERM), uint(unix.ENOSYS)
	names := slices.DeleteFunc(slices.Clone(refused), func(n string) bool { return slices.Contains(building, n) })
	// With x32 named, its calls come to the steps' own filter, which says that there are none; without, libseccomp kills the
	// thread alone that makes one, and the rest of a program waits for it for ever.
	machines := map[string][]string{"amd64": {"SCMP_ARCH_X86_64", "SCMP_ARCH_X32"}, "arm64": {"SCMP_ARCH_AARCH64"}}
	f := bundleSeccomp{DefaultAction: "SCMP_ACT_ALLOW", Architectures: machines[runtime.GOARCH], Syscalls: []bundleCalls{
		{names, refuse, eperm, nil},
		{missing, refuse, enosys, nil},
		{[]string{"ioctl"}, refuse, eperm, []bundleArgument{{Index: 1, Value: unix.TIOCSTI, Op: "SCMP_CMP_EQ"}}},
		{[]string{"ioctl"}, refuse, eperm, []bundleArgument{{Index: 1, Value: tiocLinux, Op: "SCMP_CMP_EQ"}}},
	}}
	for flag := uint64(1); flag <= namespaceFlags; flag <<= 1 {
		if namespaceFlags&flag != 0 {
			f.Syscalls = append(f.Syscalls, bundleCalls{[]string{"clone"}, refuse, eperm, []bundleArgument{{0, flag, flag, "SCMP_CMP_MASKED_EQ"}}})
		}
	}
	return f
}

// groupLimits has the runtime hold what control groups hold, where it can: for the machine's own root.
func groupLimits(setup *wire.Setup) *bundleResources {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || os.Geteuid() != 0 || !slices.Equal(strings.Fields(string(text)), []string{"0", "0", "4294967295"}) {
		return nil
	}
	r := &bundleResources{Memory: map[string]int64{"limit": setup.Memory + setup.Budget}}
	for _, l := range setup.Rlimits {
		if l.Resource == unix.RLIMIT_NPROC {
			r.Pids = map[string]int64{"limit": int64(l.Value) + ownThreads}
		}
	}
	return r
}
