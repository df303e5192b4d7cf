package inside

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// raiseLoopback brings lo up, the only interface that a fresh network namespace has.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return failed("open a socket", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return failed("name lo", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return failed("bring lo up", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
}

// openListeners makes the sockets that the host accepts on. They belong to this network namespace for ever.
func (p *process) openListeners() error {
	for _, address := range p.setup.Listen {
		fd, err := listen(address)
		if err != nil {
			return failed(fmt.Sprintf("listen on %q", address), err)
		}
		err = pass(wire.PassListener, 0, fd)
		unix.Close(fd)
		if err != nil {
			return failed("pass a listener", err)
		}
	}
	return nil
}

func listen(address string) (int, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return -1, err
	}
	family, where := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, where = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.Bind(fd, where); err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// pass hands a descriptor to the host.
func pass(what, serial byte, fd int) error {
	return unix.Sendmsg(wire.PassFD, []byte{what, serial}, unix.UnixRights(fd), nil, 0)
}
