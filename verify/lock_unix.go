//go:build unix

package verify

import (
	"os"
	"syscall"
)

// lockHistory waits until nobody else has the file; closing it lets the next one in.
func lockHistory(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }
