// Package signatures carries detection data for Kestrel.
package signatures

import _ "embed"

// Model is the detection model.
//
//go:embed model.bin
var Model []byte
