package source

import (
	"errors"
	"io/fs"
	"os"
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
	w := &kernelWriter{rootWriter: portable, dir: dir, fd: int(dir.Fd()), ts: [2]unix.Timespec{t, t}}
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

func (w *kernelWriter) close() { w.dir.Close() }

func (w *kernelWriter) file(path string, data []byte, executable bool) error {
	mode := uint32(0o644)
	if executable {
		mode = 0o755
	}
	how := unix.OpenHow{Flags: unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_CLOEXEC, Mode: uint64(mode), Resolve: resolve}
	fd, err := retry(func() (int, error) { return unix.Openat2(w.fd, path, &how) })
	if err != nil {
		return &fs.PathError{Op: "openat2", Path: path, Err: err}
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
		return &fs.PathError{Op: "write", Path: path, Err: err}
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
func (w *kernelWriter) link(path, target string) error {
	if err := w.root.Symlink(target, path); err != nil {
		return err
	}
	return unix.UtimesNanoAt(w.fd, path, w.ts[:], unix.AT_SYMLINK_NOFOLLOW)
}
