package archive

import (
	"encoding/binary"
	"io"
)

// RPM splits an RPM package (version 3 and 4 of the format) into the four parts that lie one after the other: "lead",
// "signature", "header" and "payload", a compressed cpio as a rule. Headers are checked for their bounds; what the tags
// say is not interpreted here.
type RPM struct {
	in    *offsetReader
	meter *Meter
	part  int
	data  []byte
	err   error
}

// NewRPM returns a reader of the package r.
func NewRPM(r io.Reader, m *Meter) *RPM { return &RPM{in: &offsetReader{r: r}, meter: m} }

const rpmLead = 96

// Next advances to the next part.
func (p *RPM) Next() (*Entry, error) {
	if p.err != nil {
		return nil, p.err
	}
	e, err := p.next()
	if err != nil {
		if err != io.EOF {
			err = p.meter.broken("rpm", err)
		}
		p.err = err
		return nil, err
	}
	return e, nil
}

func (p *RPM) next() (*Entry, error) {
	if p.part == 4 {
		_, err := io.Copy(io.Discard, p.in) // whatever was not read of the payload
		if err == nil {
			err = io.EOF
		}
		return nil, err
	}
	if err := p.meter.Entry(); err != nil {
		return nil, err
	}
	e := &Entry{Name: [4]string{"lead", "signature", "header", "payload"}[p.part], Type: File, Offset: p.in.off}
	var err error
	switch p.part {
	case 0:
		err = p.lead()
	case 1, 2:
		err = p.header(p.part == 1)
	}
	if err != nil {
		return nil, err
	}
	e.Size = int64(len(p.data))
	if p.part == 3 {
		e.Size = -1 // to the end of the package; Read tells
	}
	p.part++
	return e, nil
}

func (p *RPM) lead() error {
	p.data = make([]byte, rpmLead)
	if err := p.in.full(p.data); err != nil {
		return asTruncated(err)
	}
	if string(p.data[:4]) != "\xed\xab\xee\xdb" || p.data[4] < 3 || p.data[4] > 4 {
		return p.meter.fail("malformed rpm: lead")
	}
	return nil
}

// header reads one header structure: magic, count of index entries, size of the data, the entries, the data. The
// signature is padded to eight bytes, and the padding belongs to it.
func (p *RPM) header(padded bool) error {
	var b [16]byte
	if err := p.in.full(b[:]); err != nil {
		return asTruncated(err)
	}
	if string(b[:4]) != "\x8e\xad\xe8\x01" {
		return p.meter.fail("malformed rpm: header magic")
	}
	entries, size := int64(binary.BigEndian.Uint32(b[8:])), int64(binary.BigEndian.Uint32(b[12:]))
	if entries > MaxRPMIndex || size > MaxRPMData {
		return p.meter.fail("exceeds limit: rpm header of %d entries and %d bytes", entries, size)
	}
	n := entries*16 + size
	if padded {
		n += -n & 7
	}
	rest, err := readBounded(p.in, n)
	if err != nil {
		return err
	}
	p.data = append(b[:], rest...)
	for i := range entries {
		off := int64(binary.BigEndian.Uint32(rest[i*16+8:]))
		if off > size {
			return p.meter.fail("malformed rpm: tag outside of its header")
		}
	}
	return nil
}

// readBounded reads n bytes without allocating more than twice what the stream really holds.
func readBounded(r io.Reader, n int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(data)) < n {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// Read reads the current part.
func (p *RPM) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.part == 4 {
		n, err := p.in.Read(b)
		if err != nil && err != io.EOF {
			p.err = p.meter.broken("rpm", err)
			err = p.err
		}
		return n, err
	}
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.data)
	p.data = p.data[n:]
	return n, nil
}
