package code

const (
	maxSegments = 1024     // segments or sections of one executable that are hashed
	maxSlices   = 32       // slices of a fat Mach-O
	maxHashed   = 4        // times the size of the file that segments may add up to
	minText     = 4 << 10  // bytes of machine code below which equal code proves nothing
	headerPage  = 4 << 10  // bytes at the start of a larger first segment that hold headers only, or may
	headerArea  = 16 << 10 // bytes at the start of an ELF file in which header tables are left out of account
	hashBuffer  = 64 << 10 //
)

const (
	maxFunctions = 4 << 20   // entries of a function table
	maxSymbol    = 64 << 10  // bytes of one name in it; generic instances have long ones
	maxImage     = 512 << 20 // loaded bytes of a program that is explained by function
)

const (
	refsPerByte = 24   // bytes of code for each reference, as a first guess
	maxChain    = 100  // pointers that are followed in a row
	minString   = 4    // fewer bytes are no string to a reader
	maxString   = 4096 // bytes of an object that is shown as a string
	maxTries    = 16   // objects of one length that are looked at for one that only moved
)
