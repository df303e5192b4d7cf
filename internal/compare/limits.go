package compare

const (
	chunkSize     = 256 << 10
	maxRanges     = 64  // ranges of one Difference; what follows is merged into the last
	rangeGap      = 16  // equal bytes that do not end a range
	stretch       = 256 // bytes that are compared at once where most are the same
	neighbourhood = 32  // bytes around a varying byte that belong to the same varying field
	maxTreeNames  = 8   // tree entries with one digest that are remembered by name
)

const (
	minCopied    = 64        // bytes below which equal opaque content says nothing
	maxPlaces    = 3         // places remembered for one digest
	maxTextBlob  = 256 << 20 // bytes of a file that is base64 or hexadecimal as a whole and is decoded
	minTextBlob  = 128       // and the least that one must have
	textBlobHead = 512       // bytes that tell whether a file may be one
)

const (
	maxProgram    = 512 << 20 // bytes of an executable that is explained by function
	maxMapped     = 64 << 20  // bytes of any other file that is mapped rather than read
	maxText       = 16 << 20  // bytes of a file that is compared as text
	maxLines      = 200_000   // lines of it
	maxEdits      = 1_000     // lines that differ before a comparison by lines gives up
	maxTextView   = 12        // lines of a side by side view
	maxValues     = 12        // values of JSON or XML that are named
	maxTextDepth  = 200       // levels of JSON or XML
	entropySample = 1 << 20
	packedEntropy = 7.5 // bits in a byte from which content counts as compressed or encrypted
	hexRow        = 8   // bytes of a row of a hex view
	hexRows       = 4
)

const (
	maxKnown    = 16  // ranges of a small difference
	aroundBytes = 128 // bytes around one that are read for the text that it lies in
)
