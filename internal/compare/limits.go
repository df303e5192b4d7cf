package compare

const (
	chunkSize     = 256 << 10
	maxRanges     = 64 // ranges of one Difference; what follows is merged into the last
	rangeGap      = 16 // equal bytes that do not end a range
	neighbourhood = 32 // bytes around a varying byte that belong to the same varying field
	maxTreeNames  = 8  // tree entries with one digest that are remembered by name
)
