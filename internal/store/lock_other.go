//go:build !unix

package store

import (
	"os"
	"time"
)

// graceful is how long a folder is taken to be in use where files cannot be locked.
const graceful = 24 * time.Hour

func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

func tryLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) }

func lockExisted(f *os.File) bool { return false }

func old(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && time.Since(st.ModTime()) > graceful
}

func private(string) error { return nil }

func stampOf(f *os.File) (stamp, error) {
	st, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stamp{size: st.Size(), mtime: st.ModTime().UnixNano()}, nil
}

func noSpace(error) bool { return false }
