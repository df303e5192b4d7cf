package wire

// Setup is everything that the first process needs to build and seal the root.
type Setup struct {
	Version  int
	Identity Identity
	Mounts   []Mount // sorted by target, parents first
	Dirs     []string
	Files    []File
	StandIn  string // path at which the program itself is mounted
	Budget   int64  // bytes that everything writable may hold together
	Memory   int64  // what /proc/meminfo says
	Listen   []string
	Asking   []byte // seccomp program that asks the host about connections
	Plain    []byte // seccomp program for machines where it cannot be asked
	Rlimits  []Rlimit
	Watch    Watch
	// Hosted says that a runtime made the namespaces, with user and group 0 mapped in them and nobody else: a step with
	// another identity gets a user namespace of its own.
	Hosted bool
}

// Identity is what programs see of the machine and of themselves.
type Identity struct {
	Hostname, Domain, User, Group, Home string
	UID, GID, Umask, CPUs               int
	BootOffset, MonotonicOffset         int64 // seconds
	FixedAddresses                      bool
}

// Mount kinds.
const (
	ReadOnly = "read-only"
	Overlay  = "overlay"
	Copy     = "copy"
	Scratch  = "scratch"
)

// Mount is one thing mounted into the root. Device and Inode are those of Source as the host saw it.
type Mount struct {
	Kind, Source, Target string
	Size                 int64
	Reverse              bool
	Directory            bool
	Nested               bool // other file systems are mounted below Source
	Device, Inode        uint64
	Trace                bool   // write down which of its files steps open
	Masked               bool   // of files that are not named only name, size, mode and time are shown
	Named                []byte // paths inside, each with a NUL behind it
}

// File is one file, directory or symbolic link made in the root. Mode is a Unix mode.
type File struct {
	Path string
	Mode uint32
	Data []byte
}

// Rlimit is one resource limit of a step.
type Rlimit struct {
	Resource int
	Value    uint64
}

// Watch is what the first process itself looks after while a step runs; zero means unlimited.
type Watch struct {
	CPU       int64 // nanoseconds, of all processes together
	Memory    int64 // bytes of anonymous memory, of all processes together
	Processes int
}

// Ready answers Setup.
type Ready struct {
	Checks    []Check
	Notes     []Note
	Listeners int
	Notify    bool // refused connections are reported
	TimeNS    bool
}

// Check is one thing that was looked at from inside.
type Check struct {
	Name   string
	OK     bool
	Detail string
}

// Note says how something was obtained where there was more than one way.
type Note struct{ Name, Detail string }

// Step is one command.
type Step struct {
	Argv, Env []string
	Dir       string
	Terminal  bool
	Rows      uint16
	Columns   uint16
}

// Started says that a step's process is sealed and about to execute. Its descriptors carry Serial.
type Started struct{ Serial byte }

// Signal asks for a signal to every process of the step.
type Signal struct{ Number int }

// Exited says how a step ended, after every process of it is gone.
type Exited struct {
	Code   int
	Signal int
	CPU    int64 // nanoseconds, user and system, of all its processes
	MaxRSS int64 // bytes, of its largest process
	Limit  string
	Full   bool   // something writable had no room left when the step ended
	Trace  string // TraceComplete, or why the trace is not; "" when there is none
}

// TraceComplete says that every file that a step opened was told.
const TraceComplete = "complete"

// Collect asks for the regular files below Path, or with Names only for what they are called.
type Collect struct {
	Path                string
	Files               int
	Bytes               int64
	PathBytes, MaxDepth int
	Names               bool
}

// ReadFile asks for one small file.
type ReadFile struct {
	Path  string
	Limit int64
}

// Kinds of entries.
const (
	EntryFile      = "file"
	EntryDirectory = "directory"
	EntryLink      = "link"
	EntryDevice    = "device"
	EntryFIFO      = "fifo"
	EntrySocket    = "socket"
)

// Entry is one thing found by Collect. Data frames follow only when Content is set: Size bytes of them.
type Entry struct {
	Path    []byte // relative to the collected path
	Kind    string
	Mode    uint32 // permission, set-uid, set-gid and sticky bits
	Size    int64
	ModTime int64
	Link    []byte
	Problem string // why it is only reported
	Content bool
}

// End closes an answer.
type End struct {
	Fault *Fault
}

// Fault is an error from inside.
type Fault struct {
	Stage   string // "setup", "step", "collect", "read"
	What    string // what was attempted, such as "mount /proc"
	Errno   int    // 0 when it was not a system call
	Message string
	Missing bool // the file or program does not exist
	Limit   bool // a bound was exceeded
	Blame   bool // the thing looked at is hostile or malformed, not the machine
}

func (f *Fault) Error() string {
	if f.What == "" {
		return f.Message
	}
	return f.What + ": " + f.Message
}
