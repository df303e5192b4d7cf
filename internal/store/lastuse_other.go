//go:build !linux

package store

import (
	"io/fs"
	"time"
)

func lastUse(info fs.FileInfo) time.Time { return info.ModTime() }
