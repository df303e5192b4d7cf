package inside

import (
	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// openTerminal makes a pseudo terminal inside the sandbox, for a step that wants one.
func (p *process) openTerminal(step wire.Step) (*child, error) {
	if err := makeTerminals(); err != nil {
		return nil, err
	}
	master, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, failed("open a terminal", err)
	}
	k := &child{in: -1, out: -1, host: file(master), terminal: true}
	if err := k.openSlave(step); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// openSlave opens the step's side of the terminal through the master, not by a path (TIOCGPTPEER).
func (k *child) openSlave(step wire.Step) error {
	master := int(k.host)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return failed("unlock the terminal", err)
	}
	size := &unix.Winsize{Row: step.Rows, Col: step.Columns}
	if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, size); err != nil {
		return failed("size the terminal", err)
	}
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	for _, side := range []*file{&k.in, &k.out} {
		fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, flags)
		if errno != 0 {
			return failed("open the terminal's other side", errno)
		}
		high, err := raised(int(fd))
		if err != nil {
			return err
		}
		*side = file(high)
	}
	return nil
}
