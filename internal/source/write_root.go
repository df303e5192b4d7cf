package source

import (
	"os"
	"time"
)

// rootWriter writes through os.Root; it works on every system.
type rootWriter struct {
	root  *os.Root
	time  time.Time
	chmod bool // the umask, or an inherited access list, takes bits away
}

func newRootWriter(root *os.Root, when int64) (*rootWriter, error) {
	chmod, err := masksModes(root)
	return &rootWriter{root: root, time: time.Unix(when, 0), chmod: chmod}, err
}

// masksModes tells whether what is made in root gets another mode than was asked for.
func masksModes(root *os.Root) (bool, error) {
	const probe = "probe"
	if err := root.Mkdir(probe, 0o755); err != nil {
		return false, err
	}
	defer root.Remove(probe)
	info, err := root.Stat(probe)
	if err != nil {
		return false, err
	}
	return info.Mode().Perm() != 0o755, nil
}

func (w *rootWriter) close() {}

func (w *rootWriter) mkdir(path string) error {
	if err := w.root.Mkdir(path, 0o755); err != nil {
		return err
	}
	if w.chmod {
		return w.root.Chmod(path, 0o755)
	}
	return nil
}

func (w *rootWriter) file(path string, data []byte, executable bool) error {
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	f, err := w.root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && w.chmod {
		err = f.Chmod(mode)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return w.root.Chtimes(path, w.time, w.time)
}

// link leaves the time of the link as it is: there is no portable way to set it.
func (w *rootWriter) link(path, target string) error { return w.root.Symlink(target, path) }

func (w *rootWriter) finish(dirs []string) error {
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := w.root.Chtimes(dirs[i], w.time, w.time); err != nil {
			return err
		}
	}
	return w.root.Chtimes(".", w.time, w.time)
}
