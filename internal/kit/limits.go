package kit

// What is read of a kit at most, checked before it is read or taken apart.
const (
	// MaxDocument bounds the document that says what is in a kit.
	MaxDocument = 64 << 20
	// MaxBlob bounds one piece of content, MaxKit all of them together.
	MaxBlob = 64 << 30
	MaxKit  = 256 << 30
	// maxFiles bounds the files that a document names, maxSources the repositories.
	maxFiles   = 400_000
	maxSources = 1024
	maxName    = 4096
	// smallFile is up to how many bytes a file travels in a bundle with others like it: records of a checksum database are
	// thousands, and a registry answers once for each blob.
	smallFile = 64 << 10
	// maxBundle bounds the bundle of small files.
	maxBundle = 4 << 30
	// copiers is how many blobs are copied and hashed at a time.
	copiers = 4
	// maxJournal bounds what an interrupted packing left written down.
	maxJournal = 256 << 20
)
