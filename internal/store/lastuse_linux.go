package store

import (
	"io/fs"
	"syscall"
	"time"
)

// lastUse is when a file was written or read. Most file systems note reading once a day (mount(8), relatime).
func lastUse(info fs.FileInfo) time.Time {
	t := info.ModTime()
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		if read := time.Unix(int64(sys.Atim.Sec), int64(sys.Atim.Nsec)); read.After(t) {
			return read
		}
	}
	return t
}
