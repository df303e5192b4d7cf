package rootfs

const (
	// MaxEntries bounds what one root holds. A desktop of Debian has about 400,000.
	MaxEntries = 1_000_000
	// MaxManifest bounds a manifest on disk.
	MaxManifest = 256 << 20
	maxHops     = 40 // links followed in one path, as the kernel does (path_resolution(7))
	maxDepth    = 256
)
