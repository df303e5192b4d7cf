package fetchproxy

import (
	"net"
	"sync"
)

// limited bounds how many connections are open.
type limited struct {
	net.Listener
	places chan struct{}
}

func newLimited(l net.Listener) net.Listener {
	return &limited{Listener: l, places: make(chan struct{}, maxConnections)}
}

func (l *limited) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.places })}, nil
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
