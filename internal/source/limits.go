package source

import "time"

// Every bound on what a hostile repository or server can make this package do.
const (
	maxConfigSize   = 1 << 20
	maxIndex        = 512 << 20
	maxChanges      = 50      // of a work tree that are named
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

	maxAdvertisement = 256 << 20        // a server's list of refs
	maxPacket        = 65520            // one pkt-line, its length included
	sshPatience      = 30 * time.Second // to connect, and to shake hands
	maxLastWords     = 1 << 10          // of a command that failed on an ssh server
	maxPackBytes     = 16 << 30         // one pack from a server
	maxNoteSize      = 64 << 20         // a list of ids in a clone
	lockPatience     = 30 * time.Minute // another process may fetch into the same clone for so long
	maxHaves         = 2000             // ids that we tell a server we have

	maxRecentRoots   = 128 << 10 // commits whose tree is remembered while a history is read
	maxRecentEntries = 256 << 10 // entries of the trees that are

	maxTreeDepth   = 512
	maxPathLength  = 4096
	maxFiles       = 2 << 20
	maxExportBytes = 64 << 30
	maxLinkTarget  = 4095
	maxFindings    = 10_000

	maxAttributesSize = 64 << 20 // all .gitattributes of a tree
	maxAttributeLine  = 2048     // git's own limit
	maxMacroDepth     = 32
	maxMatchSteps     = 1 << 29 // characters that are compared with patterns, for a whole tree
	maxPointerSize    = 1024    // of a git LFS pointer, by its specification
	maxLargeFile      = 1 << 30 // the content behind one
	maxLargeBatch     = 100     // large files that a server is asked for at once, as git-lfs does
	maxLargeAnswer    = 8 << 20 // its answer
	maxLargeHeaders   = 32      // headers that it gives along for one download
	maxLargeHeader    = 8 << 10 // bytes of one of them
	maxLargeAtOnce    = 4       // downloads under way
	maxAuthorisation  = 64 << 10

	maxGitmodules     = 1 << 20
	maxSubmodules     = 1000 // in one export
	maxSubmoduleDepth = 16
)
