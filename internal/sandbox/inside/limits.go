package inside

import "time"

const (
	// rootSize and rootInodes bound the root's own tmpfs: directories, links and the files of a set-up.
	rootSize   = 512 << 20
	rootInodes = 1 << 16
	// devSize bounds /dev, shmSize /dev/shm.
	devSize = 64 << 10
	shmSize = 64 << 20
	// budgetInodes bounds how many files everything writable may hold together; an inode takes kernel memory that no
	// size bounds.
	budgetInodes = 4 << 20
	// watchEvery is how often process 1 looks at what a step uses when it uses more than half of what it may;
	// watchCalm is how often when it uses less: a look costs half a millisecond and more, the more processes there are.
	watchEvery = 100 * time.Millisecond
	watchCalm  = 500 * time.Millisecond
	// watchIdle is how often when a control group counts the processes and less than an eighth of the rest is used.
	watchIdle = time.Second
	// heldThreads is how many threads process 1 keeps for its runtime beside its own.
	heldThreads = 4
	// cpuGrace is how long a step that used up its processor time may take to end after SIGTERM.
	cpuGrace = 2 * time.Second
	// killEvery is how often what is left of a step is killed again until nothing is.
	killEvery = 5 * time.Millisecond
	// maxProcFile bounds what is read from one file of /proc.
	maxProcFile = 1 << 20
	// maxAccounts bounds an image's own /etc/passwd or /etc/group.
	maxAccounts = 1 << 20
	// maxLink bounds a symbolic link's text (PATH_MAX).
	maxLink = 4096
	// fullBelow is how few free bytes count as a full file system.
	fullBelow = 64 << 10
	// lastCapability bounds the search for the kernel's last capability.
	lastCapability = 63
	// signals is the number of signals (64 with the real-time ones).
	signals = 64
	// lowestFD is the number from which descriptors that are handed to a step are allocated, so that they never
	// collide with the numbers that they get there.
	lowestFD = 16
	// maxTerminals bounds how many pseudo terminals a step with a terminal may open.
	maxTerminals = 64
	// blockSize bounds what a step's arguments and environment may take together; the kernel allows less.
	blockSize = 16 << 20
	// listBuffer is how much of a folder is listed at once.
	listBuffer = 8 << 10
	// traceBuffer is how much is read of the trace at once; traceRest is how long events are left to gather. The kernel
	// keeps 16384 of them (fs.inotify.max_queued_events), more than two processors make in that time.
	traceBuffer = 256 << 10
	traceRest   = 16 * time.Millisecond
	// maxCopyDepth bounds the depth of a tree that is copied in.
	maxCopyDepth = 512
)
