//go:build unix

package source

import (
	"errors"
	"syscall"
)

// isNoSpace tells whether a disk or a quota is full.
func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
