package inside

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// block is memory that process 1 shares with one child. What a step executes is written into it after the child was
// forked, sealed and looked at: so a child can be made ready before it is known what it will run.
type block struct {
	memory []byte
	used   uintptr
}

// lastCalls is how many calls a child finds in its block: enter the working folder, unblock signals, execute.
const lastCalls = 3

const (
	callFolder = iota
	callSignals
	callExecute
)

func newBlock() (*block, error) {
	memory, err := unix.Mmap(-1, 0, blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, failed("share memory with a step", err)
	}
	return &block{memory: memory, used: unsafe.Sizeof([lastCalls]call{})}, nil
}

func (b *block) close() { _ = unix.Munmap(b.memory) }

func (b *block) calls() *[lastCalls]call {
	return (*[lastCalls]call)(unsafe.Pointer(unsafe.SliceData(b.memory)))
}

// take returns room for size bytes, aligned for pointers, and its address; nil when there is none.
func (b *block) take(size int) ([]byte, uintptr) {
	const word = unsafe.Sizeof(uintptr(0))
	from := (b.used + word - 1) &^ (word - 1)
	if size < 0 || from+uintptr(size) > uintptr(len(b.memory)) {
		return nil, 0
	}
	b.used = from + uintptr(size)
	room := b.memory[from:b.used]
	return room, uintptr(unsafe.Pointer(unsafe.SliceData(room)))
}

func (b *block) text(value string) uintptr {
	room, at := b.take(len(value) + 1)
	if room != nil {
		copy(room, value)
		room[len(value)] = 0
	}
	return at
}

// texts lays out a vector of strings as execve(2) wants it.
func (b *block) texts(values []string) uintptr {
	const word = int(unsafe.Sizeof(uintptr(0)))
	room, at := b.take((len(values) + 1) * word)
	if room == nil {
		return 0
	}
	list := unsafe.Slice((*uintptr)(unsafe.Pointer(unsafe.SliceData(room))), len(values)+1)
	for i, v := range values {
		if list[i] = b.text(v); list[i] == 0 {
			return 0
		}
	}
	list[len(values)] = 0
	return at
}

// fill writes what a step executes.
func (b *block) fill(program, dir string, argv, env []string) error {
	folder, path, args, vars := b.text(dir), b.text(program), b.texts(argv), b.texts(env)
	_, none := b.take(8) // an empty signal set
	if folder == 0 || path == 0 || args == 0 || vars == 0 || none == 0 {
		return failed("lay out arguments and environment", unix.E2BIG)
	}
	last := b.calls()
	last[callFolder] = call{number: unix.SYS_CHDIR, args: [6]uintptr{folder}}
	last[callSignals] = call{number: unix.SYS_RT_SIGPROCMASK, args: [6]uintptr{unix.SIG_SETMASK, none, 0, 8}}
	last[callExecute] = call{number: unix.SYS_EXECVE, args: [6]uintptr{path, args, vars}}
	return nil
}
