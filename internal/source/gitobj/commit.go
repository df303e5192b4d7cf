package gitobj

import (
	"bytes"
	"slices"
	"strconv"
)

// CommitObject is a commit, read from its raw bytes.
type CommitObject struct {
	ID            ID
	Tree          ID
	Parents       []ID
	Author        Person
	Committer     Person
	Encoding      string // of names and message; "" is UTF-8
	Message       []byte
	Raw           []byte
	Signature     []byte // of the repository's own object format; nil when there is none
	SignedPayload []byte // the raw bytes without any signature; nil when there is none
}

// ParseCommit reads a commit strictly. The headers that decide what is built and who signed it stand exactly once and
// in git's order (CVE-2026-45022, CVE-2026-44309): anything else has two readings, and is "ambiguous commit".
func ParseCommit(id ID, raw []byte) (*CommitObject, error) {
	refuse := refuser("commit", id)
	if len(raw) > maxCommitSize {
		return nil, refuse("exceeds limit")
	}
	list, message, err := fields(raw, refuse)
	if err != nil {
		return nil, err
	}
	c := &CommitObject{ID: id, Message: message, Raw: raw}
	if list, err = c.fixedHeaders(list, refuse); err != nil {
		return nil, err
	}
	if err := c.otherHeaders(list, refuse); err != nil {
		return nil, err
	}
	if c.Signature != nil {
		c.SignedPayload = withoutSignatures(raw)
	}
	return c, nil
}

// fixedHeaders reads the headers that every commit begins with, and returns those behind them.
func (c *CommitObject) fixedHeaders(list []field, refuse func(string) error) ([]field, error) {
	var ok bool
	if len(list) == 0 || list[0].name != "tree" {
		return nil, refuse("does not begin with a tree")
	}
	if c.Tree, ok = c.id(list[0].value); !ok {
		return nil, refuse("bad tree")
	}
	list = list[1:]
	for len(list) > 0 && list[0].name == "parent" {
		parent, ok := c.id(list[0].value)
		if !ok || len(c.Parents) == maxParents {
			return nil, refuse("bad parent")
		}
		if slices.Contains(c.Parents, parent) {
			return nil, refuse("duplicate parent")
		}
		c.Parents = append(c.Parents, parent)
		list = list[1:]
	}
	if len(list) < 2 || list[0].name != "author" || list[1].name != "committer" {
		return nil, refuse("author and committer do not follow the parents")
	}
	if c.Author, ok = parsePerson(list[0].value); !ok {
		return nil, refuse("bad author")
	}
	if c.Committer, ok = parsePerson(list[1].value); !ok {
		return nil, refuse("bad committer")
	}
	return list[2:], nil
}

func (c *CommitObject) otherHeaders(list []field, refuse func(string) error) error {
	seen := make(map[string]bool)
	for _, f := range list {
		switch f.name {
		case "tree", "parent", "author", "committer":
			return refuse("duplicate " + f.name)
		case "mergetag":
			continue
		case "encoding":
			c.Encoding = string(f.value)
		case "gpgsig", "gpgsig-sha256":
			if f.name == signatureHeader(c.ID.Format()) {
				c.Signature = signatureText(f)
			}
		default:
			if isSignature(f.name) {
				return refuse("unknown signature header " + strconv.Quote(f.name))
			}
			// an unknown header may be anything; it is signed with the rest
			continue
		}
		if seen[f.name] {
			return refuse("duplicate " + f.name)
		}
		seen[f.name] = true
	}
	return nil
}

// id reads an id of the commit's own format.
func (c *CommitObject) id(v []byte) (ID, bool) {
	id, ok := ParseID(string(v))
	return id, ok && id.n == c.ID.n
}

// signatureText returns a signature as its maker wrote it, with the line end that the header's last line has.
func signatureText(f field) []byte { return append(bytes.Clone(f.value), '\n') }

// withoutSignatures returns the bytes that a commit's signature covers: all but the signature headers, of either
// object format, as git's parse_buffer_signed_by_header does.
func withoutSignatures(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	skipping := false
	for rest := raw; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end <= 1 {
			// the empty line before the message, or no line end any more
			return append(out, rest...)
		}
		line := rest[:end]
		switch {
		case bytes.HasPrefix(line, []byte("gpgsig")):
			skipping = true
		case line[0] != ' ':
			skipping = false
		}
		if !skipping {
			out = append(out, line...)
		}
		rest = rest[end:]
	}
	return out
}

// Ancestry is what a walk over history needs to know of a commit.
type Ancestry struct {
	Tree    ID
	Parents []ID
	When    int64 // committer time; 0 when the line cannot be read
}

// ParseAncestry reads tree, parents and committer time only. It takes commits that ParseCommit refuses, since history
// is full of them; the headers that it does read stand where git reads them.
func ParseAncestry(id ID, raw []byte) (Ancestry, error) {
	var a Ancestry
	refuse := refuser("commit", id)
	if len(raw) > maxCommitSize {
		return a, refuse("exceeds limit")
	}
	hex := 2 * int(id.n)
	take := func(name string) (ID, bool) {
		n := len(name) + hex
		if len(raw) <= n || string(raw[:len(name)]) != name || raw[n] != '\n' {
			return ID{}, false
		}
		got, ok := ParseID(string(raw[len(name):n]))
		if ok {
			raw = raw[n+1:]
		}
		return got, ok
	}
	var ok bool
	if a.Tree, ok = take("tree "); !ok {
		return a, refuse("does not begin with a tree")
	}
	for {
		parent, ok := take("parent ")
		if !ok {
			break
		}
		if len(a.Parents) == maxParents {
			return a, refuse("too many parents: exceeds limit")
		}
		a.Parents = append(a.Parents, parent)
	}
	a.When = committerTime(raw)
	return a, nil
}

// committerTime finds the committer line, which follows the author's.
func committerTime(raw []byte) int64 {
	for i := 0; i < 2; i++ {
		line, rest, ok := bytes.Cut(raw, []byte{'\n'})
		if !ok {
			return 0
		}
		if v, is := bytes.CutPrefix(line, []byte("committer ")); is {
			p, _ := parsePerson(v)
			return p.When
		}
		raw = rest
	}
	return 0
}
