package wire

const (
	// MaxToInside bounds a frame from the host: a set-up with the files that it creates.
	MaxToInside = 256 << 20
	// MaxToHost bounds a frame from inside.
	MaxToHost = 1 << 20
	// MaxData bounds the payload of one data frame.
	MaxData = 256 << 10
)
