package archive

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
)

// extended is what extended headers say about the member that follows them.
type extended struct {
	longName, longLink string
	records            map[string]string
	sparseMap          []string // GNU.sparse 0.0: offsets and sizes in the order of their records
}

func (x *extended) empty() bool { return x.longName == "" && x.longLink == "" && x.records == nil }

// setGNU takes the NUL-terminated string of a GNU long name or long link.
func (x *extended) setGNU(to *string, data []byte, m *Meter) error {
	if *to != "" {
		return m.fail("malformed tar: two long names for one member")
	}
	*to = cString(data)
	if *to == "" {
		return m.fail("malformed tar: empty long name")
	}
	return nil
}

// pax reads the records of an extended header. The last of two records with one key would win; writers do not make
// such pairs and readers disagree, so they are refused.
func (x *extended) pax(data []byte, m *Meter) error {
	if x.records != nil {
		return m.fail("malformed tar: two pax headers for one member")
	}
	x.records = make(map[string]string)
	return paxRecords(data, m, func(key, value string) error {
		if key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes" {
			if len(x.sparseMap) >= 2*MaxSparse {
				return m.fail("exceeds limit: more than %d sparse regions", MaxSparse)
			}
			x.sparseMap = append(x.sparseMap, key, value)
			return nil
		}
		if _, ok := x.records[key]; ok {
			return m.fail("malformed tar: pax key %q given twice", key)
		}
		x.records[key] = value
		return nil
	})
}

// globalPax accepts what says nothing about other members: git writes the commit id as a comment.
func globalPax(data []byte, m *Meter) error {
	return paxRecords(data, m, func(key, _ string) error {
		if key == "comment" || key == "charset" || key == "hdrcharset" {
			return nil
		}
		return m.fail("malformed tar: global pax header sets %q", key)
	})
}

// paxRecords splits "length key=value\n" records; the length counts the whole record.
func paxRecords(data []byte, m *Meter, each func(key, value string) error) error {
	for len(data) > 0 {
		sp := bytes.IndexByte(data, ' ')
		if sp < 1 || sp > 20 {
			return m.fail("malformed tar: pax record without length")
		}
		n, err := strconv.ParseUint(string(data[:sp]), 10, 31)
		if err != nil || int(n) > len(data) || int(n) < sp+3 || data[n-1] != '\n' {
			return m.fail("malformed tar: pax record length %q", data[:sp])
		}
		key, value, ok := strings.Cut(string(data[sp+1:n-1]), "=")
		if !ok || key == "" {
			return m.fail("malformed tar: pax record without key")
		}
		if err := each(key, value); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// apply returns the member's stored name and the entry that header and extensions make together.
func (x *extended) apply(h *tarHeader, m *Meter) (string, *Entry, error) {
	e := &Entry{
		Mode: uint32(h.mode) & 0o7777, UID: int(h.uid), GID: int(h.gid), User: h.user, Group: h.grp,
		ModTime: h.mtime, Size: h.size, Link: h.link,
	}
	raw := h.name
	if x.longName != "" {
		raw = x.longName
	}
	if x.longLink != "" {
		e.Link = x.longLink
	}
	for key, value := range x.records {
		if err := x.record(e, &raw, key, value, m); err != nil {
			return "", nil, err
		}
	}
	if name := x.records["GNU.sparse.name"]; name != "" {
		raw = name
	}
	if h.flag != '1' && h.flag != '2' {
		e.Link = ""
	}
	return raw, e, nil
}

func (x *extended) record(e *Entry, raw *string, key, value string, m *Meter) error {
	bad := func() error { return m.fail("malformed tar: pax %s %q", key, value) }
	if value == "" {
		return nil // "a zero-length value deletes": the header's own value stands
	}
	var n int64
	var err error
	switch key {
	case "path", "linkpath", "uname", "gname":
		if strings.IndexByte(value, 0) >= 0 {
			return bad()
		}
		switch key {
		case "path":
			*raw = value
		case "linkpath":
			e.Link = value
		case "uname":
			e.User = value
		default:
			e.Group = value
		}
	case "size", "uid", "gid":
		if n, err = strconv.ParseInt(value, 10, 64); err != nil || n < 0 {
			return bad()
		}
		switch key {
		case "size":
			e.Size = n
		case "uid":
			e.UID = int(n)
		default:
			e.GID = int(n)
		}
	case "mtime":
		whole, _, _ := strings.Cut(value, ".")
		if e.ModTime, err = strconv.ParseInt(whole, 10, 64); err != nil {
			return bad()
		}
	default:
		return xattr(e, key, value, m)
	}
	return nil
}

// xattr takes extended attributes in star's and in libarchive's spelling.
func xattr(e *Entry, key, value string, m *Meter) error {
	name, plain := strings.CutPrefix(key, "SCHILY.xattr.")
	if !plain {
		coded, ok := strings.CutPrefix(key, "LIBARCHIVE.xattr.")
		if !ok {
			return nil
		}
		var err error
		if name, err = url.PathUnescape(coded); err != nil {
			return m.fail("malformed tar: pax %s", key)
		}
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
		if err != nil {
			return m.fail("malformed tar: pax %s", key)
		}
		value = string(raw)
	}
	if e.Xattrs == nil {
		e.Xattrs = make(map[string]string)
	}
	if old, ok := e.Xattrs[name]; ok && old != value {
		return m.fail("malformed tar: attribute %q given twice", name)
	}
	e.Xattrs[name] = value
	return nil
}

func (x *extended) isSparse() bool {
	return x.sparseMap != nil || x.records["GNU.sparse.map"] != "" || x.records["GNU.sparse.major"] == "1"
}
