package redact

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// What a node of the tree begins with.
const (
	tagFixed  = 0 // a value that is bound as it is
	tagSalted = 1 // a text that may be left out
	tagList   = 2
	tagObject = 3
)

// document is a verdict as a tree of JSON values.
type document struct {
	tree    map[string]any
	entries map[string]*entry // what may be left out, by JSON Pointer
	classes map[string]class  // by place
}

// entry is one text that may be left out.
type entry struct {
	class      class
	text       string
	salt       []byte // nil where it is left out
	commitment string
	set        func(string)
}

// read makes the tree and holds it against the verdict's own commitments: each entry is either shown, with its salt, or left out,
// with its commitment, and nothing else is committed to.
func read(v verdict.Verdict) (*document, error) {
	c := v.Commitments
	v.Commitments = nil
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Failf("verdict", "cannot be written: %w", err)
	}
	d := &document{entries: map[string]*entry{}, classes: map[string]class{}}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&d.tree); err != nil {
		return nil, fault.Failf("verdict", "cannot be read: %w", err)
	}
	d.collect(d.tree, "", "")
	if c.Seed != "" {
		seed, err := hex.DecodeString(c.Seed)
		if err != nil || len(seed) != saltBytes || len(c.Salts)+len(c.Hidden) > 0 {
			return nil, fault.Failf("verdict", "is not what was sealed: malformed commitments")
		}
		for at, e := range d.entries {
			e.salt = salted(seed, at)
			e.commitment = commit(e.salt, e.text)
		}
		return d, nil
	}
	return d, d.redacted(c)
}

func (d *document) redacted(c *verdict.Commitments) error {
	if len(c.Salts)+len(c.Hidden) != len(d.entries) {
		return fault.Failf("verdict", "is not what was sealed: %d commitments for %d entries", len(c.Salts)+len(c.Hidden), len(d.entries))
	}
	for at, e := range d.entries {
		text, shown := c.Salts[at]
		commitment, hidden := c.Hidden[at]
		raw, err := hex.DecodeString(text + commitment)
		switch {
		case shown == hidden, err != nil, len(raw) != saltBytes, hex.EncodeToString(raw) != text+commitment:
			return fault.Failf("verdict", "is not what was sealed: malformed commitment to %s", fault.Quote(at))
		case hidden && e.text != mark(commitment):
			return fault.Failf("verdict", "is not what was sealed: %s is left out and shows something", fault.Quote(at))
		case hidden:
			e.commitment = commitment
		default:
			e.salt, e.commitment = raw, commit(raw, e.text)
		}
	}
	return nil
}

// collect finds the entries that may be left out.
func (d *document) collect(v any, at, place string) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			here := name
			if named(place) {
				here = "*"
			}
			d.text(member, at+"/"+escape(name), join(place, here), func(s string) { v[name] = s })
		}
	case []any:
		for n, member := range v {
			d.text(member, at+"/"+strconv.Itoa(n), join(place, "*"), func(s string) { v[n] = s })
		}
	}
}

func (d *document) text(v any, at, place string, set func(string)) {
	text, ok := v.(string)
	if !ok {
		d.collect(v, at, place)
		return
	}
	c, known := d.classes[place]
	if !known {
		c = classOf(place)
		d.classes[place] = c
	}
	if c != never && !spoken(d.tree, at) {
		d.entries[at] = &entry{class: c, text: text, set: set}
	}
}

// spoken tells whether a text belongs to a check of the quorum: who found otherwise stands there (F17).
func spoken(tree map[string]any, at string) bool {
	parts := strings.Split(at, "/")
	if len(parts) != 4 || parts[1] != "checks" {
		return false
	}
	n, err := strconv.Atoi(parts[2])
	list, _ := tree["checks"].([]any)
	if err != nil || n >= len(list) {
		return false
	}
	check, _ := list[n].(map[string]any)
	id, _ := check["id"].(string)
	return strings.HasPrefix(id, "quorum.")
}

func named(place string) bool {
	last := place[strings.LastIndexByte(place, '/')+1:]
	return slices.Contains(keyed, last)
}

func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "/" + name
}

// escape writes a name as a JSON Pointer does (RFC 6901, section 3).
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// root is the digest of the whole tree.
func (d *document) root() string {
	sum := d.node(d.tree, "")
	return hex.EncodeToString(sum[:])
}

func (d *document) node(v any, at string) [sha256.Size]byte {
	var b bytes.Buffer
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte(tagObject)
		b.Write(binary.BigEndian.AppendUint64(nil, uint64(len(v))))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			of := sha256.Sum256([]byte(name))
			child := d.node(v[name], at+"/"+escape(name))
			b.Write(of[:])
			b.Write(child[:])
		}
	case []any:
		b.WriteByte(tagList)
		b.Write(binary.BigEndian.AppendUint64(nil, uint64(len(v))))
		for n, member := range v {
			child := d.node(member, at+"/"+strconv.Itoa(n))
			b.Write(child[:])
		}
	case string:
		if e := d.entries[at]; e != nil {
			var out [sha256.Size]byte
			hex.Decode(out[:], []byte(e.commitment)) // 64 digits, see read
			return out
		}
		b.WriteByte(tagFixed)
		b.WriteString("s" + v)
	case json.Number:
		b.WriteByte(tagFixed)
		b.WriteString("n" + v.String())
	case bool:
		b.WriteByte(tagFixed)
		b.WriteString("b" + strconv.FormatBool(v))
	case nil:
		b.WriteByte(tagFixed)
		b.WriteString("z")
	}
	return sha256.Sum256(b.Bytes())
}

// write makes a verdict of the tree again.
func (d *document) write(c *verdict.Commitments) (verdict.Verdict, error) {
	data, err := json.Marshal(d.tree)
	if err != nil {
		return verdict.Verdict{}, fault.Failf("verdict", "cannot be written: %w", err)
	}
	var v verdict.Verdict
	if err := json.Unmarshal(data, &v); err != nil {
		return verdict.Verdict{}, fault.Failf("verdict", "cannot be written: %w", err)
	}
	v.Commitments = c
	return v, Check(v)
}
