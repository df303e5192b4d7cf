//go:build !linux

package vcs

import (
	"io/fs"
	"time"
)

// changeTime knows nothing here, so every file is compared by its content. The stand-in itself only runs on Linux.
func changeTime(fs.FileInfo) (time.Time, bool) { return time.Time{}, false }
