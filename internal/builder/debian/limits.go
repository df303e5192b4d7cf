package debian

import "time"

const (
	// MaxRelease bounds an InRelease file; that of a whole suite has about 150 kB.
	MaxRelease = 4 << 20
	// MaxIndex bounds a Packages index as it is fetched, MaxIndexText what it expands to. Those of a stable suite have 9 and
	// 50 MB.
	MaxIndex     = 64 << 20
	MaxIndexText = 512 << 20
	// MaxPackages bounds the packages of an index.
	MaxPackages = 400_000
	// MaxPackage bounds one package as it is fetched.
	MaxPackage = 1 << 30
	// MaxControl bounds one file of a package's control archive.
	MaxControl = 16 << 20
	// MaxChosen bounds the packages of one root.
	MaxChosen      = 4000
	maxParagraph   = 1 << 20   // bytes of one paragraph of an index
	maxReleaseBody = 4 << 20   // bytes of the one paragraph of a Release file
	maxFields      = 256       // of one paragraph
	maxRelations   = 2000      // dependencies of one package, alternatives included
	maxSources     = 1 << 20   // bytes of one file that says where packages come from
	maxKeyring     = 8 << 20   // bytes of one file with keys
	maxKeys        = 512       // certificates in all files together
	maxSignatures  = 16        // on one Release file
	clockSkew      = time.Hour // by which an archive's clock may be ahead of this machine's
)
