package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// packet says what a pkt-line is.
type packet uint8

const (
	dataPacket packet = iota + 1
	flushPacket
	delimiterPacket
)

// errProtocol is an answer that is no answer of a git server's.
var errProtocol = errors.New("malformed answer")

// pktReader reads pkt-lines (gitprotocol-common(5)), and no more than limit bytes of them.
type pktReader struct {
	r    *bufio.Reader
	left int64
	buf  [maxPacket]byte
}

func newPktReader(r io.Reader, limit int64) *pktReader {
	return &pktReader{r: bufio.NewReaderSize(r, 2*maxPacket), left: limit}
}

// next returns the payload of the next packet; it is valid until the call after.
func (p *pktReader) next() ([]byte, packet, error) {
	if _, err := io.ReadFull(p.r, p.buf[:4]); err != nil {
		return nil, 0, err
	}
	n := 0
	for _, c := range p.buf[:4] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return nil, 0, errProtocol
		}
	}
	switch n {
	case 0:
		return nil, flushPacket, nil
	case 1:
		return nil, delimiterPacket, nil
	case 2, 3: // the end of an answer, which only comes between proxies, and a length that counts less than itself
		return nil, 0, errProtocol
	}
	if n > maxPacket {
		return nil, 0, errProtocol
	}
	if p.left -= int64(n); p.left < 0 {
		return nil, 0, fmt.Errorf("%w: exceeds limit", errProtocol)
	}
	data := p.buf[:n-4]
	if _, err := io.ReadFull(p.r, data); err != nil {
		return nil, 0, noEOF(err)
	}
	return data, dataPacket, nil
}

// line returns the next packet as a line of text; ok is false at a flush packet. A server's complaint is an error.
func (p *pktReader) line() (text string, kind packet, err error) {
	data, kind, err := p.next()
	if err != nil {
		return "", 0, noEOF(err)
	}
	text = strings.TrimSuffix(string(data), "\n")
	if complaint, is := strings.CutPrefix(text, "ERR "); is && kind == dataPacket {
		return "", 0, cleaned{errors.New(complaint)}
	}
	return text, kind, nil
}

// noEOF makes the end of a stream where something must follow an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// packetLine returns a pkt-line that holds text.
func packetLine(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

const (
	flushLine     = "0000"
	delimiterLine = "0001"
)

// bands reads what a server sends on the first of three bands: the pack. The second is talk, the third its last
// words. The pack ends at a flush packet; a stream that ends before is torn.
type bands struct {
	packets *pktReader
	closer  io.Closer
	left    []byte
	ended   bool
}

func (s *bands) Close() error { return s.closer.Close() }

func (s *bands) Read(b []byte) (int, error) {
	for len(s.left) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		data, kind, err := s.packets.next()
		switch {
		case err != nil:
			return 0, noEOF(err)
		case kind == flushPacket:
			s.ended = true
		case kind != dataPacket || len(data) == 0:
			return 0, errProtocol
		case data[0] == 1:
			s.left = data[1:]
		case data[0] == 3:
			return 0, cleaned{errors.New(string(data[1:]))}
		case data[0] != 2:
			return 0, errProtocol
		}
	}
	n := copy(b, s.left)
	s.left = s.left[n:]
	return n, nil
}
