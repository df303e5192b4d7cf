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
	refsPerByte = 16   // bytes of code for each reference, as a first guess
	minString   = 4    // fewer bytes are no string to a reader
	maxString   = 4096 // bytes of an object that is shown as a string
	maxTries    = 16   // objects of one length that are looked at for one that only moved
)

const (
	maxStrings       = 10_000 // strings of one side that are kept
	maxPadding       = 256    // bytes between functions
	maxFunctionEdits = 400    // functions without names that were added or removed before order stops telling
	maxNeighbours    = 8      // changed functions in a row that are paired by their place
)

const (
	maxDisassembled     = 256 << 10 // bytes of a function that is shown as instructions
	maxInstructionEdits = 500       // instructions that differ before a view shows all of them as changed
	maxView             = 8         // lines of a view
	maxContext          = 2         // lines of what is the same between two changes
	maxViews            = 3         // functions of one program whose instructions are shown
	maxFunctionNodes    = 200       // functions of one program that are listed
)

const (
	maxProducers      = 64 << 20 // bytes of debug data whose units are asked for compiler and flags
	maxUnits          = 2_000    // units of debug data
	maxObjectSections = 100_000  // sections of an object file
	maxResources      = 10_000   // resources of a PE file, and values of its version information
	maxEntitlements   = 1 << 20  // bytes of the entitlements of a code signature
	maxImports        = 100_000  // imported or exported names
)

const maxAlignment = 64 // zeros that may only fill up to the next object

const maxTypeNames = 3 // pieces of type information that are named

const maxStart = 64 // bytes of the code at the entry point of a program

const minBulk = 4 // functions that differ before a compiler is to blame

const maxOddBytes = 64 << 10 // bytes that differ in more than addresses before two programs are compared the long way

const stretch = 256 // bytes that are compared at once where most are the same

const (
	maxSourceFiles = 200_000   // names of source files that one program holds
	maxSourceName  = 4096      // bytes of one
	maxDebugData   = 512 << 20 // bytes of debug data, expanded, that are read for them
	maxDebugUnits  = 100_000   // units of it
)
