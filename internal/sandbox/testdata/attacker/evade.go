package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// evade reads a file in a way that a trace may not see, and writes what it read to another one. A way that the sandbox
// does not allow at all reads nothing.
func evade(a []string) {
	how, file, out := a[0], a[1], a[2]
	read := map[string]func(string) ([]byte, error){
		"open": os.ReadFile, "map": readMapped, "execute": execute, "moved": readMoved, "atime": readAndForget, "proc": readByNumber,
		"link": readByLink, "ring": readByRing, "socket": readPassed, "race": readRaced,
	}[how]
	data, err := read(file)
	if err != nil {
		fmt.Println(err)
	}
	check(os.WriteFile(out, data, 0o644))
}

func readMapped(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
}

func execute(file string) ([]byte, error) {
	p, err := os.StartProcess(file, []string{file, "tool-exit", "0"}, &os.ProcAttr{})
	if err != nil {
		return []byte("not executed"), nil // what it reads as where it is hidden is no program
	}
	_, err = p.Wait()
	return []byte("executed"), err
}

func readMoved(file string) ([]byte, error) {
	if err := os.Mkdir("/input/new", 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(file, "/input/new/moved"); err != nil {
		return nil, err
	}
	return os.ReadFile("/input/new/moved")
}

// readAndForget puts the access time back.
func readAndForget(file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	at := st.Sys().(*syscall.Stat_t).Atim
	data, err := os.ReadFile(file)
	_ = os.Chtimes(file, time.Unix(at.Unix()), st.ModTime())
	return data, err
}

// readByNumber opens a descriptor that cannot be read, and that one again.
func readByNumber(file string) ([]byte, error) {
	fd, err := unix.Open(file, unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", fd))
}

func readByLink(file string) ([]byte, error) {
	if err := os.Mkdir("/input/new", 0o755); err != nil {
		return nil, err
	}
	if err := os.Link(file, "/input/new/link"); err != nil {
		return nil, err
	}
	return os.ReadFile("/input/new/link")
}

func readByRing(string) ([]byte, error) {
	var parameters [120]byte // struct io_uring_params
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(&parameters)), 0)
	if errno != 0 {
		return nil, errno
	}
	won("a ring: descriptor %d", fd)
	return nil, nil
}

// readPassed has one descriptor pass the file to another process's end of a socket.
func readPassed(file string) ([]byte, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(file, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Sendmsg(ends[0], []byte{1}, unix.UnixRights(fd), nil, 0); err != nil {
		return nil, err
	}
	unix.Close(fd)
	word, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(ends[1], word, rights, 0)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return nil, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, 4096)
	got, err := unix.Read(fds[0], buffer)
	return buffer[:max(got, 0)], err
}

// readRaced opens a path that another thread rewrites all the time, until it led to the file.
func readRaced(file string) ([]byte, error) {
	other := "/input/read" + "\x00"
	path := append([]byte(file), 0)
	decoy := append([]byte(other), make([]byte, len(path))...)[:len(path)]
	buffer := append([]byte{}, decoy...)
	stop := make(chan bool)
	defer close(stop)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%2 == 0 {
				copy(buffer, path)
			} else {
				copy(buffer, decoy)
			}
		}
	}()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		fd, _, errno := unix.Syscall(unix.SYS_OPEN, uintptr(unsafe.Pointer(&buffer[0])), unix.O_RDONLY, 0)
		if errno != 0 {
			continue
		}
		var st, want unix.Stat_t
		if unix.Fstat(int(fd), &st) == nil && unix.Stat(file, &want) == nil && st.Ino == want.Ino {
			data := make([]byte, 4096)
			n, err := unix.Read(int(fd), data)
			return data[:max(n, 0)], err
		}
		unix.Close(int(fd))
	}
	return nil, unix.ETIMEDOUT
}
