//go:build unix

package compare

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file read-only, nil when that is not possible.
func mapFile(f *os.File, size int64) []byte {
	if size == 0 {
		return nil
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	populate(b)
	return b
}

func unmapFile(b []byte) error {
	if b == nil {
		return nil
	}
	return unix.Munmap(b)
}
