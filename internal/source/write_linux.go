package source

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelWriter writes relative to the root's descriptor with openat2(2): the kernel itself refuses to leave the root
// and to follow any link on the way, which is what os.Root does step by step.
type kernelWriter struct {
	*rootWriter
	dir *os.File // the root
	fd  int
	ts  [2]unix.Timespec

	above  string // the folder that parent is, "." for the root
	parent int    // -1: none was opened yet
}

func newWriter(root *os.Root, when int64) (writer, error) {
	portable, err := newRootWriter(root, when)
	if err != nil {
		return nil, err
	}
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	t, err := unix.TimeToTimespec(portable.time)
	if err != nil {
		dir.Close()
		return nil, err
	}
	w := &kernelWriter{rootWriter: portable, dir: dir, fd: int(dir.Fd()), ts: [2]unix.Timespec{t, t}, parent: -1}
	// older kernels, and some seccomp filters, do not have the call
	probe, err := unix.Openat2(w.fd, ".", &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: resolve})
	if err != nil {
		dir.Close()
		return portable, nil
	}
	unix.Close(probe)
	return w, nil
}

const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

func (w *kernelWriter) close() {
	w.leave()
	w.dir.Close()
}

// enter opens the folder that a path lies in. Folders come in order, so that it is most often the last one again. It is not
// for several goroutines.
func (w *kernelWriter) enter(name string) (int, error) {
	above := path.Dir(name)
	if w.parent >= 0 && above == w.above {
		return w.parent, nil
	}
	w.leave()
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: resolve}
	fd, err := retry(func() (int, error) { return unix.Openat2(w.fd, above, &how) })
	if err != nil {
		return -1, &fs.PathError{Op: "openat2", Path: above, Err: err}
	}
	w.above, w.parent = above, fd
	return fd, nil
}

func (w *kernelWriter) leave() {
	if w.parent >= 0 {
		unix.Close(w.parent)
		w.parent = -1
	}
}

func (w *kernelWriter) mkdir(name string) error {
	if w.chmod {
		return w.rootWriter.mkdir(name)
	}
	parent, err := w.enter(name)
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(parent, path.Base(name), 0o755); err != nil {
		return &fs.PathError{Op: "mkdirat", Path: name, Err: err}
	}
	return nil
}

func (w *kernelWriter) finish(dirs []string) error {
	for _, name := range slices.Backward(dirs) {
		parent, err := w.enter(name)
		if err != nil {
			return err
		}
		if err := unix.UtimesNanoAt(parent, path.Base(name), w.ts[:], unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "utimensat", Path: name, Err: err}
		}
	}
	return unix.UtimesNanoAt(w.fd, ".", w.ts[:], 0)
}

func (w *kernelWriter) file(name string, data []byte, executable bool) error {
	mode := uint32(0o644)
	if executable {
		mode = 0o755
	}
	how := unix.OpenHow{Flags: unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_CLOEXEC, Mode: uint64(mode), Resolve: resolve}
	fd, err := retry(func() (int, error) { return unix.Openat2(w.fd, name, &how) })
	if err != nil {
		return &fs.PathError{Op: "openat2", Path: name, Err: err}
	}
	for len(data) > 0 && err == nil {
		var n int
		n, err = retry(func() (int, error) { return unix.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if err == nil && w.chmod {
		err = unix.Fchmod(fd, mode)
	}
	if err == nil {
		err = w.setTime(fd)
	}
	if closeErr := unix.Close(fd); err == nil {
		err = closeErr
	}
	if err != nil {
		return &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}

// retry repeats a call that a signal interrupted (the Go runtime sends itself some), and openat2 when something was
// renamed meanwhile.
func retry(call func() (int, error)) (int, error) {
	for range 128 {
		n, err := call()
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return n, err
		}
	}
	return -1, unix.EINTR
}

// setTime is futimens(3): utimensat(2) without a path.
func (w *kernelWriter) setTime(fd int) error {
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&w.ts)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// link also sets the link's own time.
func (w *kernelWriter) link(name, target string) error {
	if err := w.root.Symlink(target, name); err != nil {
		return err
	}
	return unix.UtimesNanoAt(w.fd, name, w.ts[:], unix.AT_SYMLINK_NOFOLLOW)
}
