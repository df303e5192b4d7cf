package rebuild

import "time"

// What one build may cost. A build that needs more ends with "limit reached".
const (
	memoryBytes  = 16 << 30
	processes    = 4096
	cpuTime      = 8 * time.Hour
	wallTime     = 4 * time.Hour
	scratchBytes = 32 << 30 // everything that steps write; it lives in memory and counts there
	outputBytes  = 8 << 30
	outputFiles  = 100_000
	logBytes     = 16 << 20
	gitLogBytes  = 4 << 20
	tailLines    = 20
	maxProgram   = 1 << 30 // a program or library that is looked at for its loader
	maxUntold    = 100     // programs that are named as not told another time
	clockWindow  = 1 << 20 // what is looked through at once for the time of a run
	maxModFile   = 1 << 20 // a go.mod that git is asked for

	leftFiles = 200_000  // entries of the folder of the source after the steps
	leftRead  = 4_000    // of those that may be source, how many are read
	leftBytes = 64 << 20 // of them together
	leftFile  = 8 << 20  // of one

	maxPackageLock = 256 << 20 // a package lock of the commit
)
