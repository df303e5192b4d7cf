package pass

const (
	maxRanges    = 16        // ranges of one pass in one file that are listed; all are counted
	maxReason    = 200       // bytes of a name in a reason
	maxManifest  = 1 << 20   // bytes of a manifest that is read
	maxBuildLine = 72        // bytes of one line of a manifest that may be forgiven, the format's own maximum
	maxPaxTime   = 40        // bytes of one pax record that holds a time
	maxPaxHeader = 1 << 20   // bytes of one extended header, as internal/archive has it
	maxSections  = 4096      // sections of a PE file or load commands of a Mach-O file that are looked at
	maxDynamic   = 1 << 20   // bytes of the dynamic segment of an ELF file
	maxDebug     = 16        // entries of a PE debug directory whose times may be forgiven
	maxSlices    = 32        // slices of a fat Mach-O file
	maxChunks    = 4096      // chunks of a PNG
	maxDebFields = 16        // members of a Debian package
	streamSlack  = 1 << 10   // bytes that a compressed stream may be longer than 5/4 of the other
	inMemory     = 1 << 20   // bytes of expanded content that are kept in memory
	chunk        = 256 << 10 // bytes that are read at once
	earliest     = 315532800 // 1980-01-01: the first second of MS-DOS
	latest       = 1<<31 - 1 // 2038-01-19: the last second of 32 bits with a sign
	zipDirLine   = 46        // bytes of a directory record before its name
	zipLocalLine = 30        // and of a local header
)
