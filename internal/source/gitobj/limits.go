package gitobj

// Every bound on what a hostile repository can make this package do.
const (
	maxObjectSize    = 1 << 30  // expanded size of one object; also of one delta
	maxLooseFile     = 1 << 30  // compressed size of one loose object
	maxChainBytes    = 16 << 30 // all that one object's chain of deltas may expand to on the way
	maxChainDepth    = 4096     // deltas upon deltas; git's own writer stops at 4095
	maxPacks         = 10_000
	maxScanAttempts  = 8        // lists of packs of which one was gone when it was to be opened
	maxRescans       = 64       // lists made anew because an object was not found
	maxPackObjects   = 1 << 28  // objects in one pack
	maxIndexMemory   = 64 << 20 // index pages held at a time, over all packs
	maxBaseCache     = 24 << 20 // delta bases held at a time
	maxCachedBase    = 16 << 20 // a larger base is not kept
	maxResolveRounds = 64       // passes over a received pack whose deltas name bases that come later
	maxEntryHeader   = 64       // type, size and base of one packed object
	maxLooseHeader   = 32       // "commit 1073741824" and its NUL
	maxExpansion     = 1032     // deflate cannot do better (258 bytes for 2 bits)
	maxStreamExcess  = 1 << 10  // bytes that a deflate stream may be longer than a quarter more than what it holds

	maxCommitSize  = 16 << 20
	maxTagSize     = 16 << 20
	maxTreeSize    = 256 << 20
	maxTreeEntries = 4 << 20 // entries in one tree
	maxNameLength  = 4096    // bytes in one name of a tree
	maxParents     = 4096
	maxHeaderLines = 1 << 17 // header lines of a commit or tag, with their continuation lines
	maxIdentLength = 64 << 10
)
