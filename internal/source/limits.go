package source

// Every bound on what a hostile repository or server can make this package do.
const (
	maxConfigSize   = 1 << 20
	maxPointerFile  = 4 << 10 // a .git file, a loose ref
	maxShallowSize  = 64 << 20
	maxPackedRefs   = 256 << 20
	maxRefs         = 2 << 20
	maxRefName      = 4096
	maxRefDepth     = 64     // directories below refs
	maxRefsReported = 1000   // names in Facts.Refs
	maxTagChain     = 16     // tags of tags
	maxTagsReported = 50_000 // in Facts.Tags
	maxCommits      = 4 << 20

	maxTreeDepth   = 512
	maxPathLength  = 4096
	maxFiles       = 4 << 20
	maxExportBytes = 64 << 30
	maxLinkTarget  = 4095
	maxFindings    = 10_000
)
