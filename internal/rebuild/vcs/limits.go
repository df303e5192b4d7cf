package vcs

const (
	// maxFacts bounds the facts file: some 100 bytes for each tracked file.
	maxFacts = 256 << 20
	// maxLog bounds the log; past it nothing is answered any more, so that no answer goes unrecorded.
	maxLog = 1 << 20
	// maxLogLine bounds one line of the log, and with it the argument vector that is quoted there.
	maxLogLine = 64 << 10
	// maxArguments bounds how many arguments of a refused question are quoted in the log, maxArgument their bytes.
	maxArguments = 32
	maxArgument  = 1 << 10
	// maxIgnoreFile bounds one .gitignore file. git itself stops at 100 MiB.
	maxIgnoreFile = 4 << 20
	// maxDepth and maxEntries bound the walk over the work tree.
	maxDepth   = 512
	maxEntries = 8 << 20
	// maxStatus bounds what `status` prints.
	maxStatus = 64 << 20
	// maxBlob bounds what `cat-file` hands out; the go command accepts a go.mod of at most 16 MiB.
	maxBlob = 16 << 20
)
