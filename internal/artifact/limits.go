package artifact

const (
	maxTreeFiles = 400_000 // entries of a directory artefact
	maxXattr     = 64 << 10
	copyBuffer   = 256 << 10
	headBytes    = 1024 // what formats are told from
)
