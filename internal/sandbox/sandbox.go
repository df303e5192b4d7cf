// Package sandbox runs commands in a sealed root.
//
// A Session is one root with one identity in which several commands run one after another. What is promised, on Linux
// from 5.12, as root and as an ordinary user, without daemon, set-uid helper or installed program:
//
//   - Namespaces of its own: user, mount, pid, net, ipc, uts, cgroup, and time where the kernel can (namespaces(7)). The
//     root is a fresh tmpfs entered by pivot_root(2); the host's file system is detached from it.
//   - Inputs are read-only, without set-uid programs and devices. Everything that can be written is one bounded tmpfs.
//   - No capability in any set, no_new_privs, locked securebits, a seccomp filter, no inherited descriptor, no terminal
//     (unless asked for), exactly the environment that the step names.
//   - No network but a loopback that leads nowhere; attempts to reach anything else are refused and listed.
//   - Limits on memory, processes, processor time, wall time, written bytes and log, by the strongest mechanism that the
//     machine gives; which one that was is recorded, see Isolation.
//   - All of that is looked at from inside before the first command. A check that does not hold ends the session.
//   - When Run returns, every process of the command is gone; when Close returns, or the calling process dies in any
//     way, so is everything else: processes, mounts, memory. Control groups of a killed process are swept by the next.
//
// Where the machine forbids this there is no sandbox and no build: an error says the cause and the remedy. What a
// sandbox cannot hide is said in Isolation: the wall clock, the kernel's release, the processor's own instructions.
//
// Two backends share all of that. Embedded makes the namespaces itself. OCI has a runtime of the OCI specification make
// them, from a bundle that holds the same first process; what it made is looked at from here before anything is built.
package sandbox

import (
	"context"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"
)

// EmbeddedName is what the runtime is called that needs nothing but this program.
const EmbeddedName = "embedded"

// Runtime makes sandboxes.
type Runtime interface {
	Name() string
	// Probe tries out what this machine offers.
	Probe(ctx context.Context) (Capabilities, error)
	// Start builds and seals a root. The session has to be closed; it is also closed when ctx ends.
	Start(ctx context.Context, spec Spec) (Session, error)
}

// Session is one sealed root. Its methods may be called from one goroutine at a time; Close from any, at any time.
type Session interface {
	// Run runs one command. When it returns, every process of the command is gone. A command that ends with an error
	// code, by a signal or by a limit is a Result, not an error; one that cannot be executed at all is an error.
	Run(ctx context.Context, step Step) (Result, error)
	// Listeners returns one listener for each address of Spec.Listen, in that order. The session owns them.
	Listeners() []net.Listener
	// Outputs copies the regular files below target, a path inside, to the folder dst, which it makes. Everything else
	// is reported and never made.
	Outputs(ctx context.Context, target, dst string, limits OutputLimits) ([]Output, error)
	// List returns what lies below target without any contents: at most files entries, 0 being as many as Outputs takes.
	List(ctx context.Context, target string, files int) ([]Output, error)
	// Read returns one regular file from inside, of at most limit bytes. errors.Is(err, fs.ErrNotExist) when missing.
	Read(ctx context.Context, path string, limit int64) ([]byte, error)
	// Isolation returns what was obtained.
	Isolation() Isolation
	// Close ends everything. It can be called more than once.
	Close() error
}

// Spec describes a root.
type Spec struct {
	Mounts []Mount
	// Dirs are empty folders that steps may write to. The home and /tmp are always there.
	Dirs []string
	// Files are written last. A Mode with fs.ModeSymlink makes a link with Data as its text.
	Files []File
	// GitStandIn is the path at which glassbuild itself stands in for git; "" for none. It reads /.glassbuild/vcs.json,
	// which Files must bring, and logs to /.glassbuild/git.log.
	GitStandIn string
	Identity   Identity
	Limits     Limits
	// Listen holds addresses inside the sandbox, such as "127.0.0.1:8080", that the host accepts connections on.
	Listen []string
	// Log receives what steps print, both streams as they come. May be nil.
	Log io.Writer
}

// MountKind says how a source is shown. The zero value is not a kind.
type MountKind string

// Mount kinds.
const (
	ReadOnly MountKind = "read-only" // a folder or file of the host, as it is
	Overlay  MountKind = "overlay"   // a folder of the host with what steps write kept apart from it
	Copy     MountKind = "copy"      // a copy of a folder, in a chosen order of creation
	Scratch  MountKind = "scratch"   // an empty folder; Source stays empty
)

// Mount is one thing mounted into the root. The mount with target "/" becomes the root itself.
type Mount struct {
	Kind   MountKind
	Source string // absolute path on the host
	Target string // absolute path inside
	Size   int64  // Scratch: bytes of its own; 0 shares Limits.Output with everything else that is written
	// Trace wants Result.Opened of a folder.
	Trace bool
	// Masked shows of files that are not in Named only name, size, mode and time: they read as zeros. Named are paths
	// inside. Where a mount cannot be restricted so, there is no sandbox.
	Masked  bool
	Named   []string
	Reverse bool // Copy: entries are created in descending order, which turns what readdir(3) says around
}

// File is one file made in the root.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
}

// Identity is what programs see of the machine and of themselves. Empty fields get fixed values, see Identity.filled.
type Identity struct {
	Hostname, Domain  string
	User, Group, Home string
	UID, GID          int // any numbers; exactly one of each exists inside
	Umask             int // 0 means 022
	CPUs              int // processors that may be used; 0 means all
	// BootOffset and MonotonicOffset shift the clocks of that name. The wall clock cannot be shifted.
	BootOffset, MonotonicOffset time.Duration
	// FixedAddresses switches address randomisation off.
	FixedAddresses bool
}

// Limits bounds a session. Zero fields get the defaults of limits.go, negative ones are refused.
type Limits struct {
	Memory    int64 // bytes, of all processes together where a control group counts them
	Processes int64
	Files     int64         // open descriptors of one process
	Output    int64         // bytes that can be written in the whole root
	Log       int64         // bytes of log that are kept
	CPU       time.Duration // processor time of one step
	Wall      time.Duration // of one step
	Grace     time.Duration // between SIGTERM and SIGKILL
}

// Step is one command.
type Step struct {
	Argv []string // argv[0] is looked for in Env's PATH when it holds no slash
	Env  []string // the whole environment, NAME=value
	Dir  string   // "" is "/"
	// Terminal gives the command a terminal of its own, which is relayed to this process's.
	Terminal bool
	In       io.Reader // Terminal: what is typed; nil is os.Stdin
	Out      io.Writer // Terminal: what is shown; nil is os.Stdout
}

// Result says how a step ended.
type Result struct {
	ExitCode     int    // 128 + the signal's number when one ended it
	Signal       string // "SIGKILL"; "" when none did
	Wall, CPU    time.Duration
	PeakMemory   int64 // bytes; of all processes together, or of the largest, see Isolation
	LogBytes     int64 // that the step printed, kept or not
	LogTruncated bool
	// Limit names the limit that ended the step, "" when none did: "memory", "processes", "cpu", "wall", "output",
	// "log". Memory and processes are told by the control group or by the watch; where a step merely failed after it had
	// met a limit that the kernel does not report (written bytes, or memory without a control group), that limit is
	// named.
	Limit   string
	Refused []Attempt
	// Opened are the plain files of the mounts that the step opened, executed, mapped or moved, as paths inside, sorted.
	// Trace is TraceComplete, or why they may not be all. A step can read a file behind the trace's back, for instance
	// through a hard link; what a step can read at all is only decided by Mount.Masked.
	Opened []string
	Trace  string
}

// TraceComplete is the Trace of a Result whose Opened holds everything that was seen.
const TraceComplete = "complete"

// Attempt is one refused attempt to reach a network.
type Attempt struct {
	Process string `json:"process"` // the name that the process gave itself: hostile text
	Call    string `json:"call"`    // "connect" or "sendto"
	Target  string `json:"target"`  // "192.0.2.1:443", "[2001:db8::1]:443" or "family 40"
	Count   int    `json:"count"`
}

// OutputLimits bounds Outputs. Zero fields get the defaults of limits.go.
type OutputLimits struct {
	Files int
	Bytes int64
}

// Output kinds.
const (
	OutputFile      = "file"
	OutputDirectory = "directory"
	OutputLink      = "link"
	OutputDevice    = "device"
	OutputFIFO      = "fifo"
	OutputSocket    = "socket"
)

// Output is one thing that lay below the target. It was copied exactly if Kind is OutputFile and Problem is empty.
type Output struct {
	Path    string // relative to the target, with slashes: a hostile name; "" when the target itself is the file
	Kind    string
	Mode    fs.FileMode // with set-uid, set-gid and sticky bits, which no copy has
	Size    int64
	ModTime int64  // Unix seconds
	SHA256  string // hex, of what was copied
	Link    string // text of a link
	Problem string // why it was not copied
}

// Isolation says what was obtained.
type Isolation struct {
	Runtime string `json:"runtime"` // "embedded", or what an OCI runtime calls itself: "runc"
	// RuntimeVersion and RuntimeSHA256 are those of an OCI runtime's program.
	RuntimeVersion string     `json:"runtime-version,omitempty"`
	RuntimeSHA256  string     `json:"runtime-sha256,omitempty"`
	Carrier        string     `json:"carrier"` // "memory" (the small static program), "self" (this whole program again) or "bundle" (an OCI runtime started either)
	Kernel         string     `json:"kernel"`
	Namespaces     []string   `json:"namespaces"`
	Checks         []Check    `json:"checks"`          // made from inside, all of them hold
	Limits         []Enforced `json:"limits"`          // sorted by name
	Network        string     `json:"network"`         // "refused, listed" or "refused, not listed: …"
	Notes          []Check    `json:"notes,omitempty"` // how things were obtained where there is more than one way; OK is whether it was the first one
}

// Held returns, by the names that a policy demands them by, the properties which not every sandbox has.
func (i Isolation) Held() []string {
	var out []string
	group := func(limit string) bool {
		return slices.ContainsFunc(i.Limits, func(l Enforced) bool { return l.Limit == limit && strings.HasPrefix(l.By, "cgroup") })
	}
	for _, p := range []struct {
		name string
		held bool
	}{
		{"memory-group", group("memory")},
		{"process-group", group("processes")},
		{"refusals-listed", i.Network == refusedAndListed},
		{"time-namespace", slices.Contains(i.Namespaces, "time")},
	} {
		if p.held {
			out = append(out, p.name)
		}
	}
	return out
}

// refusedAndListed is Network where every refused attempt is told.
const refusedAndListed = "refused, listed"

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Enforced says which mechanism holds a limit: "cgroup v2", "cgroup v1", "rlimit", "tmpfs size", "watch" (the sandbox's
// first process looks ten times a second), "host", or "" when none could.
type Enforced struct {
	Limit  string `json:"limit"`
	By     string `json:"by"`
	Detail string `json:"detail,omitempty"`
}

// Capabilities is what a machine offers.
type Capabilities struct {
	Findings []Finding
}

// OK tells whether sandboxes can be made: something was found, and nothing that is needed is missing.
func (c Capabilities) OK() bool {
	for _, f := range c.Findings {
		if !f.OK && f.Needed {
			return false
		}
	}
	return len(c.Findings) > 0
}

// Finding is one thing that was tried out.
type Finding struct {
	Name   string
	OK     bool
	Needed bool // without it there is no sandbox
	Detail string
	Remedy string // what the person at the machine can do; "" when it is OK
}
