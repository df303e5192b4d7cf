package origin

const (
	maxProgram   = 512 << 20 // bytes of a program that is read
	maxScript    = 64 << 20  // bytes of a JavaScript or CSS file, or of a source map
	maxClass     = 8 << 20   // bytes of a class file
	maxMembers   = 200_000   // members of one output that are read
	maxNames     = 200_000   // names of source files in one claim
	maxAllNames  = 2_000_000 // of all claims about one artefact
	maxNameBytes = 4096      // bytes of one
	maxSections  = 1_000     // sections of an indexed source map
	maxRules     = 100_000   // rules of one file for make
)
