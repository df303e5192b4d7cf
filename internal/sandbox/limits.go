package sandbox

import "time"

// Defaults of Limits.
const (
	defaultMemory    = 8 << 30
	defaultProcesses = 4096
	defaultFiles     = 16384
	defaultOutput    = 16 << 30
	defaultLog       = 16 << 20
	defaultCPU       = 4 * time.Hour
	defaultWall      = 2 * time.Hour
	defaultGrace     = 5 * time.Second
)

// Defaults and bounds of OutputLimits.
const (
	defaultOutputFiles = 100_000
	defaultOutputBytes = 16 << 30
	maxOutputPath      = 4096 // bytes of one path
	maxOutputDepth     = 256  // folders within folders
)

// Bounds of a Spec.
const (
	maxMounts    = 4096
	maxFiles     = 65536
	maxDirs      = 4096
	maxFileBytes = 160 << 20 // of all files together; base64 makes a third more of them on the way inside
	maxListen    = 64
	maxPath      = 4095 // PATH_MAX without its end
	maxName      = 64   // bytes of a host, user or group name (HOST_NAME_MAX)
	maxID        = 1<<31 - 2
	maxArgv      = 4 << 20   // bytes of argv and env together; Linux allows six
	maxOpened    = 256 << 20 // bytes of paths that the trace of one step tells
	minMemory    = 16 << 20
	minOutput    = 1 << 20
	maxRead      = 256 << 20 // of Session.Read
	spareBytes   = 4 << 20   // of the budget, for what the root itself takes
)

const (
	// startTimeout bounds how long a root may take to be built, beside copies.
	startTimeout = 2 * time.Minute
	// endTimeout bounds how long the first process may take to report a step's end after SIGKILL.
	endTimeout = 10 * time.Second
	// drainTimeout bounds how long the log may take to end once every process that held it is gone.
	drainTimeout = 5 * time.Second
	// logFlood times the kept log is what a step may print; then it is ended. A log that is only too long is cut.
	logFlood = 64
	// maxAttempts bounds the distinct refused attempts that are kept for one step; further ones are only counted.
	maxAttempts = 256
	// maxStderr bounds what is kept of the first process's own complaints.
	maxStderr = 16 << 10
	// runtimePatience is how long an OCI runtime may take to start a first process, and to end after it.
	runtimePatience = time.Minute
	// maxRuntime bounds what is read of an OCI runtime's program for its digest.
	maxRuntime = 1 << 30
	// maxWaitingFDs bounds the descriptors that the first process may have passed and nobody fetched.
	maxWaitingFDs = maxListen + 16
)
