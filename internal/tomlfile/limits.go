package tomlfile

const (
	// MaxBytes is the size of the largest document; it is checked before the first byte is parsed.
	MaxBytes = 64 << 10
	// MaxDepth is how deep arrays and tables may nest. The parser recurses once a level.
	MaxDepth = 16
	// MaxKeyParts is how many parts a dotted key may have.
	MaxKeyParts = 8
)
