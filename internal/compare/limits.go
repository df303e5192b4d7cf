package compare

const (
	chunkSize     = 256 << 10
	maxRanges     = 64 // ranges of one Difference; what follows is merged into the last
	rangeGap      = 16 // equal bytes that do not end a range
	neighbourhood = 32 // bytes around a varying byte that belong to the same varying field
	maxTreeNames  = 8  // tree entries with one digest that are remembered by name
)

const (
	minCopied    = 64        // bytes below which equal opaque content says nothing
	maxPlaces    = 3         // places remembered for one digest
	maxTextBlob  = 256 << 20 // bytes of a file that is base64 or hexadecimal as a whole and is decoded
	minTextBlob  = 128       // and the least that one must have
	textBlobHead = 512       // bytes that tell whether a file may be one
)
