package fetchproxy

import "time"

const (
	// maxRecords bounds the requests of one step; the next one is refused.
	maxRecords = 200_000
	// maxRefusedKept bounds how many refusals are described; the others are counted.
	maxRefusedKept = 1_000
	// maxTotal bounds what one step may fetch altogether.
	maxTotal = 16 << 30
	// maxConnections bounds the connections that are open at once, maxFetches those of them that fetch.
	maxConnections = 256
	maxFetches     = 16
	// maxPath bounds a request's path, maxHeader its header.
	maxPath   = 2 << 10
	maxHeader = 32 << 10
	// maxClosure bounds a serialised closure, maxEntries its entries.
	maxClosure = 64 << 20
	maxEntries = maxRecords

	// maxPackument bounds what a registry says of one npm package, maxPackageLock a lock.
	maxPackument   = 256 << 20
	maxPackageLock = 256 << 20

	headerTimeout = 20 * time.Second // for the sandbox to send its request
	idleTimeout   = 2 * time.Minute
	writeTimeout  = time.Minute // for the sandbox to take the next chunk
	fetchTimeout  = 30 * time.Minute
	minRate       = 32 << 10 // bytes a second that the sandbox must take
)
