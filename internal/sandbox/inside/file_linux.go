package inside

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// file is an open descriptor. Package os would hand descriptors to the runtime's poller, whose threads cost more than
// everything that is read here.
type file int

func (f file) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (f file) Write(p []byte) (int, error) {
	if err := writeAll(int(f), p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f file) close() {
	if f >= 0 {
		_ = unix.Close(int(f))
	}
}

func writeAll(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// readPath reads a whole file of at most limit bytes.
func readPath(name string, limit int64) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readUpTo(fd, limit)
}

func readUpTo(fd int, limit int64) ([]byte, error) {
	buffer := make([]byte, 0, 4<<10)
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := file(fd).Read(buffer[len(buffer):cap(buffer)])
		if errors.Is(err, io.EOF) {
			return buffer, nil
		}
		if err != nil {
			return nil, err
		}
		if buffer = buffer[:len(buffer)+n]; int64(len(buffer)) > limit {
			return nil, unix.EFBIG
		}
	}
}

// writePath writes to a file that exists.
func writePath(name, text string) error {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return writeAll(fd, []byte(text))
}

// listPath lists a folder in ascending order.
func listPath(name string) ([]string, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readNames(fd)
}
