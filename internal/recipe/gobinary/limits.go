package gobinary

const (
	// MaxSettings bounds the settings of one build info; the go command writes about twenty.
	MaxSettings = 256
	// MaxModules bounds the dependencies of one build info.
	MaxModules = 20_000
	// MaxValue bounds one value of a setting.
	MaxValue = 64 << 10
	// maxModInfo bounds the build info of a WebAssembly module, in bytes.
	maxModInfo = 4 << 20
	// maxWasmSections bounds the sections of a WebAssembly module that are looked at.
	maxWasmSections = 10_000
	// maxNote bounds one ELF note section, in bytes.
	maxNote = 64 << 10
	// maxSections bounds the sections of an executable.
	maxSections = 4096
	// maxStrings bounds a string table, in bytes.
	maxStrings = 64 << 20
	// maxFileName bounds a file name of the line table.
	maxFileName = 4096
	// buildIDWindow is how far into a PE or Mach-O text section the build id is searched: it stands at its very beginning.
	buildIDWindow = 64 << 10
)
