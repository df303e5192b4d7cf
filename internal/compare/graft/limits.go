package graft

const (
	maxRead     = 16 << 20 // bytes that are read at once: headers, tables and signatures
	maxTable    = 1 << 20  // bytes of one certificate table or signature block
	maxPages    = 1 << 16  // page hashes of one file: 256 MiB of pages of 4 KiB
	maxSections = 4096
	maxSlices   = 32
	chunk       = 256 << 10
	maxSigned   = 64 << 20 // bytes of what a signature over everything is over
	maxTags     = 64       // entries of the signature header of an RPM package
	maxManifest = 16 << 20 // bytes of a manifest or signature file of a jar
	maxSigners  = 8        // of one jar or Android package
	maxGPG      = 8        // signatures of one Debian package
	maxReserved = 64 << 10 // zeros that an RPM package keeps free for signatures
)
