//go:build !linux

package source

import "os"

func newWriter(root *os.Root, when int64) (writer, error) { return newRootWriter(root, when) }
