package gomod

import modzip "golang.org/x/mod/zip"

// What is accepted from a proxy or from a tree.
const (
	// MaxZip and MaxMod are the go command's own limits.
	MaxZip = modzip.MaxZipFile
	MaxMod = modzip.MaxGoMod
	// MaxInfo bounds a .info answer, MaxList a list of versions.
	MaxInfo = 1 << 20
	MaxList = 16 << 20
	// MaxSum bounds one answer of a checksum database; a full data tile is some 40 KiB.
	MaxSum = 1 << 20

	maxProxies     = 32      // entries of GOPROXY
	maxEnvFile     = 1 << 20 // a go/env file
	maxZipFiles    = 200_000
	maxModulesText = 16 << 20
	maxVendorFiles = 500_000
	maxGoHeader    = 64 << 10 // of a Go file, where its build constraint is looked for
)
