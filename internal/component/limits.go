package component

const (
	maxProgram    = 512 << 20 // bytes of an executable whose functions are looked at
	maxIndex      = 256 << 20 // bytes of a prepared index
	maxFiles      = 400_000   // files that an index knows by digest
	maxFunctions  = 1 << 20   // functions that it knows
	maxNamed      = 20        // altered functions that a finding names
	maxCarved     = 64        // things that are carved out of one blob
	maxBlob       = 4 << 30   // bytes of a blob that is looked through
	minBlob       = 512       // fewer bytes hold nothing
	maxCarveDepth = 4         // blobs within carved things
	carveWindow   = 1 << 20   // bytes of a blob that are looked through at once
	minPrint      = 48        // bytes of a function without a name that says something by itself
	minMatches    = 4         // functions without names that must agree before they are no chance
)
