//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// graceful is how long a folder without a lock is left alone: its owner may be about to lock it.
const graceful = 10 * time.Second

// lockFile creates path and locks it for the life of the returned file.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	// The owner's mark: a sweeper that opens the file sees that it was locked once.
	_, err = f.WriteString("locked\n")
	return f, err
}

func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func lockExisted(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Size() > 0
}

func old(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && time.Since(st.ModTime()) > graceful
}

// private refuses a store that somebody else owns or may write to: its authentication key and its trees would be theirs.
func private(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fault.Inconclusivef(dir, "%w", err)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return fault.Inconclusivef(dir, "belongs to another user (uid %d)", sys.Uid).WithHint("set XDG_CACHE_HOME to a folder of your own")
	}
	if st.Mode().Perm()&0o022 != 0 {
		return fault.Inconclusivef(dir, "is writable by others (mode %04o)", st.Mode().Perm()).WithHint("chmod 700 %s", dir)
	}
	return nil
}

func stampOf(f *os.File) (stamp, error) {
	st, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	s := stamp{size: st.Size(), mtime: st.ModTime().UnixNano()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s, nil
}

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
