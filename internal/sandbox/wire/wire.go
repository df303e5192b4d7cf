// Package wire is the language that the host and the sandbox's first process speak over a socket pair.
//
// A frame is one byte of kind, four bytes of length (little endian) and the payload: the message, or raw bytes for
// file contents. The host believes nothing that it reads here beyond its bounds: the first process is glassbuild's own,
// but it stands next to hostile ones.
package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Version changes whenever host and first process of different builds could misunderstand each other.
const Version = 5

// Names under which the static program is called, and the descriptors that it is handed.
const (
	InitName  = "[glassbuild: first process of a sandbox]" // argv[0]; nobody calls a program so by accident
	InitPath  = "/" + InitName                             // argv[0] where another program, an OCI runtime, starts it
	ControlFD = 3                                          // stream socket, frames
	PassFD    = 4                                          // datagram-like socket, carries descriptors to the host
	// OneProcessor is all that the first process's environment holds: its runtime starts with one processor, which is
	// cheaper than giving the others up, and it never wants more.
	OneProcessor = "GOMAXPROCS=1"
	// NoHome is the other variable that is there where an OCI runtime starts it: runtimes add one of this name otherwise.
	NoHome = "HOME=/"
)

// Kind says what a frame holds.
type Kind byte

// Frames that the host sends.
const (
	KindSetup   Kind = 'S'
	KindRun     Kind = 'R'
	KindSignal  Kind = 'K'
	KindCollect Kind = 'O'
	KindRead    Kind = 'F'
)

// Frames that the first process sends.
const (
	KindReady   Kind = 'r'
	KindStarted Kind = 's'
	KindExited  Kind = 'e'
	KindEntry   Kind = 'o'
	KindData    Kind = 'd'
	KindEnd     Kind = 'z'
	KindFault   Kind = '!'
	KindOpened  Kind = 'a' // paths that a step opened, each with a NUL behind it; before KindExited
)

// Names of what is passed over PassFD: the first of two bytes that come with a descriptor. The second one is the serial
// number of the step's process, 0 for what belongs to none.
const (
	PassListener = 'l'
	PassLog      = 'p'
	PassTerminal = 't'
	PassNotify   = 'n'
	PassHello    = 'h' // no descriptor: the kernel tells the host who sent it
)

// Write sends one frame.
func Write(w io.Writer, kind Kind, payload []byte) error {
	if len(payload) > MaxToInside {
		return fmt.Errorf("frame of %d bytes exceeds %d", len(payload), MaxToInside)
	}
	buf := make([]byte, headerSize, headerSize+len(payload))
	buf[0] = byte(kind)
	binary.LittleEndian.PutUint32(buf[1:], uint32(len(payload)))
	_, err := w.Write(append(buf, payload...))
	return err
}

// Send sends one message.
func Send(w io.Writer, kind Kind, message any) error {
	payload, err := Marshal(message)
	if err != nil {
		return err
	}
	return Write(w, kind, payload)
}

const headerSize = 5

// Read receives one frame of at most limit bytes of payload. A clean end between two frames is io.EOF.
func Read(r io.Reader, limit int) (Kind, []byte, error) { return ReadInto(nil, r, limit) }

// ReadInto is Read into a buffer that nobody needs any more, where a frame of data fits; messages keep what they are read into.
func ReadInto(buffer []byte, r io.Reader, limit int) (Kind, []byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(header[1:])
	if int64(n) > int64(limit) {
		return 0, nil, fmt.Errorf("frame of %d bytes exceeds %d", n, limit)
	}
	payload := buffer
	if Kind(header[0]) != KindData || uint64(cap(payload)) < uint64(n) {
		payload = make([]byte, n)
	}
	payload = payload[:n]
	if _, err := io.ReadFull(r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return Kind(header[0]), payload, nil
}
