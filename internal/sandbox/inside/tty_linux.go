package inside

import (
	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// terminal makes a pseudo terminal inside the sandbox and hands its master to the host.
func (p *process) terminal(c *spawn, step wire.Step) (func(), error) {
	if err := makeTerminals(); err != nil {
		return nil, err
	}
	master, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, failed("open a terminal", err)
	}
	defer unix.Close(master)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, failed("unlock the terminal", err)
	}
	size := &unix.Winsize{Row: step.Rows, Col: step.Columns}
	if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, size); err != nil {
		return nil, failed("size the terminal", err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, failed("open the terminal's other side", errno)
	}
	slave, err := raised(int(fd))
	if err != nil {
		return nil, err
	}
	if err := pass(wire.PassTerminal, master); err != nil {
		unix.Close(slave)
		return nil, failed("pass the terminal", err)
	}
	c.in, c.out, c.err = slave, slave, slave
	done := false
	return func() {
		if !done {
			done = true
			unix.Close(slave)
		}
	}, nil
}
