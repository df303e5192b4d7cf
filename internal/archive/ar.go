package archive

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

const arHeader = 60

// Ar reads an ar archive: Debian packages, static libraries in System V, GNU and BSD spelling, Go archives.
//
// A static library may hold several members of one name; the later ones are called "name#2", "name#3". A Debian package
// (first member debian-binary) may not. GNU's table of long names "//" is read and not returned; symbol tables "/" and
// "/SYM64/" are returned under those names without slashes: "symbols" and "symbols64".
type Ar struct {
	in    *offsetReader
	meter *Meter
	names names
	count map[string]int
	table []byte
	left  int64
	pad   int64
	begun bool
	deb   bool
	err   error
}

// NewAr returns a reader of the ar archive r.
func NewAr(r io.Reader, m *Meter) *Ar {
	return &Ar{in: &offsetReader{r: r}, meter: m, count: make(map[string]int)}
}

// Next advances to the next member.
func (a *Ar) Next() (*Entry, error) {
	if a.err != nil {
		return nil, a.err
	}
	e, err := a.next()
	if err != nil {
		if err != io.EOF {
			err = a.meter.broken("ar", err)
		}
		a.err = err
		return nil, err
	}
	return e, nil
}

func (a *Ar) next() (*Entry, error) {
	if !a.begun {
		var magic [8]byte
		if err := a.in.full(magic[:]); err != nil || string(magic[:]) != "!<arch>\n" {
			return nil, a.meter.fail("malformed ar: no magic")
		}
		a.begun = true
	}
	for {
		if err := a.skip(); err != nil {
			return nil, err
		}
		var h [arHeader]byte
		if err := a.in.full(h[:]); err != nil {
			return nil, err // io.EOF only at the border of a member
		}
		e, table, err := a.header(&h)
		if err != nil || !table {
			return e, err
		}
		if a.table != nil || a.left > maxArTable {
			return nil, a.meter.fail("exceeds limit: table of long names of %d bytes", a.left)
		}
		a.table = make([]byte, a.left)
		if err := a.in.full(a.table); err != nil {
			return nil, asTruncated(err)
		}
		a.left = 0
	}
}

// skip drops the rest of the current member. Members begin at even offsets; the last one's padding may be missing.
func (a *Ar) skip() error {
	if err := a.in.skip(a.left); err != nil {
		return err
	}
	a.left = 0
	if a.pad == 0 {
		return nil
	}
	a.pad = 0
	var c [1]byte
	err := a.in.full(c[:])
	if err == nil && c[0] != '\n' && c[0] != 0 {
		return a.meter.fail("malformed ar: padding")
	}
	return err
}

func (a *Ar) header(h *[arHeader]byte) (*Entry, bool, error) {
	if string(h[58:]) != "`\n" {
		return nil, false, a.meter.fail("trailing data: no ar header where one should be")
	}
	var num [5]int64
	for i, f := range [][2]int{{16, 28}, {28, 34}, {34, 40}, {40, 48}, {48, 58}} {
		base := 10
		if i == 3 {
			base = 8
		}
		s := strings.TrimRight(string(h[f[0]:f[1]]), " ")
		if s == "" {
			continue
		}
		v, err := strconv.ParseUint(s, base, 62)
		if err != nil {
			return nil, false, a.meter.fail("malformed ar: number %q", s)
		}
		num[i] = int64(v)
	}
	a.left, a.pad = num[4], num[4]&1
	raw, table, err := a.name(strings.TrimRight(string(h[:16]), " "))
	if err != nil || table {
		return nil, table, err
	}
	e := &Entry{Type: File, ModTime: num[0], UID: int(num[1]), GID: int(num[2]), Mode: uint32(num[3]) & 0o7777, Size: a.left, Offset: a.in.off}
	return e, false, a.admit(e, raw)
}

// name resolves the three spellings of names.
func (a *Ar) name(s string) (string, bool, error) {
	bad := a.meter.fail("malformed ar: name %q", s)
	switch {
	case s == "//":
		return "", true, nil
	case s == "/":
		return "symbols", false, nil
	case s == "/SYM64/":
		return "symbols64", false, nil
	case strings.HasPrefix(s, "#1/"): // BSD: the name stands before the content
		n, err := strconv.ParseUint(s[3:], 10, 31)
		if err != nil || n > MaxName || int64(n) > a.left {
			return "", false, bad
		}
		b := make([]byte, n)
		if err := a.in.full(b); err != nil {
			return "", false, asTruncated(err)
		}
		a.left -= int64(n)
		return cString(b), false, nil
	case strings.HasPrefix(s, "/"): // GNU: an offset into the table
		n, err := strconv.ParseUint(s[1:], 10, 31)
		if err != nil || n >= uint64(len(a.table)) {
			return "", false, bad
		}
		name, _, ok := strings.Cut(string(a.table[n:min(uint64(len(a.table)), n+MaxName+2)]), "\n")
		if !ok {
			return "", false, bad
		}
		return strings.TrimSuffix(name, "/"), false, nil
	}
	return strings.TrimSuffix(s, "/"), false, nil
}

func (a *Ar) admit(e *Entry, raw string) error {
	if err := a.meter.Entry(); err != nil {
		return err
	}
	clean, err := Clean(raw, false)
	if err != nil {
		return err
	}
	a.deb = a.deb || clean == "debian-binary" && len(a.names.seen) == 0
	a.count[clean]++
	if n := a.count[clean]; n > 1 && !a.deb {
		clean = fmt.Sprintf("%s#%d", clean, n)
	}
	e.Name = clean
	return a.names.add(e)
}

// Read reads the content of the current member.
func (a *Ar) Read(p []byte) (int, error) { return readMember(a.in, p, &a.left, &a.err, a.meter, "ar") }

// readMember reads what is left of a member that lies in the stream as it is.
func readMember(in *offsetReader, p []byte, left *int64, failed *error, m *Meter, what string) (int, error) {
	if *failed != nil && *failed != io.EOF {
		return 0, *failed
	}
	if *left == 0 {
		return 0, io.EOF
	}
	n, err := in.Read(p[:min(int64(len(p)), *left)])
	*left -= int64(n)
	if err == io.EOF && *left == 0 {
		err = nil
	}
	if err != nil {
		err = m.broken(what, err)
		*failed = err
	}
	return n, err
}
