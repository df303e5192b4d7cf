package store

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Run is the private folder of one run. Nothing in it outlives Close.
type Run struct {
	dir  string
	lock *os.File
	once sync.Once
	err  error
}

// NewRun sweeps what killed runs left behind and makes a folder for this one.
func (s *Store) NewRun() (*Run, error) {
	s.Sweep()
	dir, err := os.MkdirTemp(filepath.Join(s.dir, "runs"), "run-")
	if err != nil {
		return nil, writeFault(s.dir, err)
	}
	lock, err := lockFile(dir + ".lock")
	if err != nil {
		os.Remove(dir)
		return nil, writeFault(dir, err)
	}
	return &Run{dir: dir, lock: lock}, nil
}

// Path returns the run's folder.
func (r *Run) Path() string { return r.dir }

// Dir makes a new folder below the run's own.
func (r *Run) Dir(name string) (string, error) {
	dir, err := os.MkdirTemp(r.dir, strings.ReplaceAll(name, "/", "-")+"-")
	if err != nil {
		return "", writeFault(r.dir, err)
	}
	return dir, nil
}

// Close removes the run's folder and everything in it.
func (r *Run) Close() error {
	r.once.Do(func() {
		if err := RemoveAll(r.dir); err != nil {
			r.err = fault.Inconclusivef(r.dir, "could not be removed: %w", err)
		}
		os.Remove(r.dir + ".lock")
		r.lock.Close()
	})
	return r.err
}

// Sweep removes run folders and half-written trees whose process is gone. A folder is its owner's as long as the lock
// file beside it is locked; the kernel drops the lock when the process ends, however it ends.
func (s *Store) Sweep() {
	for _, sub := range []string{"runs", "tmp"} {
		base := filepath.Join(s.dir, sub)
		if st, err := os.Lstat(base); err != nil || !st.IsDir() {
			continue // what lies behind a link is not the store's
		}
		entries, err := os.ReadDir(base)
		if err != nil {
			continue
		}
		for _, e := range entries {
			path := filepath.Join(base, e.Name())
			switch {
			case e.IsDir():
				sweepDir(path)
			case strings.HasSuffix(e.Name(), ".lock"):
				if _, err := os.Lstat(strings.TrimSuffix(path, ".lock")); os.IsNotExist(err) && old(path) {
					os.Remove(path)
				}
			case old(path):
				os.Remove(path)
			}
		}
	}
}

func sweepDir(path string) {
	lock, err := tryLock(path + ".lock")
	if err != nil {
		return // its owner lives
	}
	defer lock.Close()
	if !old(path) && !lockExisted(lock) {
		return // made a moment ago, not locked yet
	}
	if RemoveAll(path) == nil {
		os.Remove(path + ".lock")
	}
}
