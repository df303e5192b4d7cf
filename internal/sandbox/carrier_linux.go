package sandbox

import (
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	_ "github.com/glassbuild/glassbuild/internal/sandbox/takeover" // this program can be the first process too
)

//go:generate sh -c "CGO_ENABLED=0 GOOS=linux GOFLAGS= go build -trimpath -buildvcs=false -ldflags \"-s -w\" -o embedded/init-linux-$(go env GOARCH) ./initmain"

// The folder always holds its README, so that the program builds without the generated file.
//
//go:embed embedded
var embedded embed.FS

// carrier is the program that becomes a sandbox's first process.
type carrier struct {
	path string // to be executed
	kind string // "memory" or "self"
	fits bool   // it runs without the host's libraries, so it can stand in for git
	note string // why it is not the first choice; "" when it is
}

// findCarrier returns the small static program, sealed in memory, or this program where the other was not generated or
// memory files cannot be executed.
var findCarrier = sync.OnceValues(func() (carrier, error) {
	data, err := embedded.ReadFile("embedded/init-linux-" + runtime.GOARCH)
	if errors.Is(err, fs.ErrNotExist) {
		return selfCarrier("the static program was not generated")
	}
	if err != nil {
		return carrier{}, err
	}
	fd, err := memoryProgram(data)
	if err != nil {
		return selfCarrier(fmt.Sprintf("programs in memory: %v", err))
	}
	return carrier{path: fmt.Sprintf("/proc/self/fd/%d", fd), kind: "memory", fits: true}, nil
})

func selfCarrier(note string) (carrier, error) {
	c := carrier{path: "/proc/self/exe", kind: "self", note: note}
	f, err := elf.Open(c.path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	c.fits = true
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			c.fits = false
		}
	}
	return c, nil
}

// memoryProgram puts a program into a memory file that nobody can change any more.
func memoryProgram(data []byte) (int, error) {
	const executable = 0x10 // MFD_EXEC, since Linux 6.3, wanted where vm.memfd_noexec is 1
	fd, err := unix.MemfdCreate("glassbuild", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|executable)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("glassbuild", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, err
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		data = data[n:]
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, err
	}
	// A memory file that may not be executed says so when its mode is asked for.
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&0o100 == 0 {
		unix.Close(fd)
		return -1, errors.Join(err, os.ErrPermission)
	}
	return fd, nil
}
