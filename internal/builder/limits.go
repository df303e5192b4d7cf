package builder

// What parts of a builder may cost. The largest Go distribution so far unpacks to less than 400 MB in 15,000 files.
const (
	maxToolchainZip   = 512 << 20 // bytes, as the go command bounds module zips
	maxToolchainBytes = 2 << 30   // unpacked
	maxToolchainFile  = 512 << 20 // one unpacked file
	maxToolchainFiles = 60_000
	maxManifest       = 32 << 20 // the list of a tree's files
	maxEvidence       = 16 << 20 // evidence of one checksum database lookup, as it is kept
	maxEvidenceFiles  = 1000
	maxPackageList    = 64 << 20
	maxDebBytes       = 16 << 30 // what one Debian package may unpack to; debug symbols of a browser take 5 GB
	maxImageLayer     = 32 << 30 // one layer as it is fetched
	maxImageBytes     = 64 << 30 // what one layer may expand to
	maxNPMBytes       = 2 << 30  // what one package of the npm registry may unpack to
	maxBundled        = 10_000   // packages that such a package brings with it
	maxPackageJSON    = 1 << 20
	fetchers          = 4 // files fetched at a time
	unpackers         = 3 // packages or layers unpacked at a time
)
