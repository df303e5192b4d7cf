package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// streams are the host's ends of what a step is connected to.
type streams struct {
	log      *logPump
	terminal *relay
	notify   *supervisor
}

// openStreams fetches what the first process passed for a step that is about to execute.
func (s *session) openStreams(step Step, serial byte) (*streams, error) {
	out := &streams{}
	what := byte(wire.PassLog)
	if step.Terminal {
		what = wire.PassTerminal
	}
	// The listener was passed when the process was sealed, the log right before it is let go.
	if s.notified() {
		fd, err := s.take(wire.PassNotify, serial)
		if err != nil {
			return nil, err
		}
		out.notify = startSupervisor(fd)
	}
	fd, err := s.take(what, serial)
	if err != nil {
		return nil, errors.Join(err, out.close(&Result{}))
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, errors.Join(err, out.close(&Result{}))
	}
	f := os.NewFile(uintptr(fd), "step")
	if step.Terminal {
		out.terminal = startRelay(f, step)
	} else {
		out.log = startPump(f, s.spec.Log, s.spec.Limits.Log)
	}
	return out, nil
}

// flooded is closed when the step prints without end.
func (s *streams) flooded() <-chan struct{} {
	if s.log == nil {
		return nil
	}
	return s.log.flood
}

// close waits until everything that the step said has been taken in.
func (s *streams) close(result *Result) error {
	var err error
	if s.log != nil {
		err = s.log.close(result)
	}
	if s.terminal != nil {
		s.terminal.close()
	}
	if s.notify != nil {
		result.Refused = s.notify.close()
	}
	return err
}

// logPump copies what a step prints, up to a limit, and throws the rest away so that the step does not block.
type logPump struct {
	source *os.File
	limit  int64
	flood  chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	bytes int64
	err   error
}

func startPump(source *os.File, to io.Writer, limit int64) *logPump {
	p := &logPump{source: source, limit: limit, flood: make(chan struct{}), done: make(chan struct{})}
	if to == nil {
		to = io.Discard
	}
	go p.pump(to)
	return p
}

// TruncationMark stands in a log where the rest was thrown away; its argument is the number of bytes kept.
const TruncationMark = "[glassbuild: log truncated at %d bytes]"

func (p *logPump) pump(to io.Writer) {
	defer close(p.done)
	buffer := make([]byte, 64<<10)
	flooded := false
	for {
		n, err := p.source.Read(buffer)
		p.mu.Lock()
		before := p.bytes
		p.bytes += int64(n)
		p.mu.Unlock()
		if keep := min(int64(n), p.limit-before); keep > 0 {
			p.write(to, buffer[:keep])
		}
		if before <= p.limit && before+int64(n) > p.limit {
			p.write(to, fmt.Appendf(nil, "\n"+TruncationMark+"\n", p.limit))
		}
		if !flooded && (before+int64(n))/logFlood > p.limit {
			flooded = true
			close(p.flood)
		}
		if err != nil {
			return
		}
	}
}

func (p *logPump) write(to io.Writer, data []byte) {
	if _, err := to.Write(data); err != nil {
		p.mu.Lock()
		p.err = errors.Join(p.err, err)
		p.mu.Unlock()
	}
}

// close waits for the end of the log. Nobody holds its other end any more, so it is near.
func (p *logPump) close(result *Result) error {
	select {
	case <-p.done:
	case <-time.After(drainTimeout):
	}
	p.source.Close()
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	result.LogBytes, result.LogTruncated = p.bytes, p.bytes > p.limit
	return p.err
}
