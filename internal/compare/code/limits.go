package code

const (
	maxSegments = 1024     // segments or sections of one executable that are hashed
	maxSlices   = 32       // slices of a fat Mach-O
	maxHashed   = 4        // times the size of the file that segments may add up to
	minText     = 4 << 10  // bytes of machine code below which equal code proves nothing
	headerArea  = 16 << 10 // bytes at the start of an ELF file in which header tables are left out of account
	hashBuffer  = 64 << 10 //
)
