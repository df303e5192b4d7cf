package artifact

import "github.com/glassbuild/glassbuild/internal/archive"

const (
	maxTreeFiles = 400_000 // entries of a directory artefact
	maxXattr     = 64 << 10
	copyBuffer   = 256 << 10
	maxStub      = 1 << 24             // bytes of a DOS stub before a PE header
	headBytes    = archive.DetectBytes // what formats are told from
)

const (
	maxForkEntries = 64      // entries of an AppleDouble file
	maxPackageJSON = 4 << 20 // bytes of a package.json that is asked for its scripts
)
