// Package redact lets names, paths and texts be left out of a verdict that stays the same signed verdict.
//
// Before a verdict is signed it is sealed: every text that may be left out is replaced, in a tree over the whole document, by a
// commitment to it: SHA-256 over a salt of 32 bytes and the text. The root of that tree is what is signed. Whoever holds the whole
// verdict can leave entries out, each of which then shows its commitment, and open single ones later with their salts. Nothing
// else can be changed: result, checks and their statuses, counts, exceptions, digests and what other auditors said are bound as
// they are and can never be left out.
//
// docs/predicates.md describes the tree so that others can compute it.
package redact

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Seal binds a verdict before it is signed. The seed of its salts is new: two verdicts of the same content have other roots.
func Seal(v verdict.Verdict) (verdict.Verdict, error) {
	seed := make([]byte, saltBytes)
	if _, err := rand.Read(seed); err != nil {
		return v, fault.Inconclusivef("verdict", "cannot be sealed: %w", err)
	}
	v.Commitments = &verdict.Commitments{Seed: hex.EncodeToString(seed)}
	d, err := read(v)
	if err != nil {
		return v, err
	}
	v.Commitments.Root = d.root()
	return v, nil
}

// Sealed tells whether the verdict was bound.
func Sealed(v verdict.Verdict) bool { return v.Commitments != nil }

// Count returns how many entries are left out, and how many could be.
func Count(v verdict.Verdict) (hidden, all int) {
	if v.Commitments == nil {
		return 0, 0
	}
	if v.Commitments.Seed != "" {
		if d, err := read(v); err == nil {
			all = len(d.entries)
		}
		return 0, all
	}
	return len(v.Commitments.Hidden), len(v.Commitments.Hidden) + len(v.Commitments.Salts)
}

// Check computes the root anew: a verdict in which anything was changed has another. One that was never sealed is as good as what
// vouches for it.
func Check(v verdict.Verdict) error {
	if v.Commitments == nil {
		return nil
	}
	d, err := read(v)
	if err != nil {
		return err
	}
	if d.root() != v.Commitments.Root {
		return fault.Failf("verdict", "is not what was sealed: its commitments give another root")
	}
	return nil
}

// Redact leaves out everything of a level. What is left out already stays so.
func Redact(v verdict.Verdict, l Level) (verdict.Verdict, error) {
	if !slices.Contains(Levels, l) {
		return v, fault.Usagef("--redact", "%q is not one of paths, code, all", l)
	}
	if v.Commitments == nil {
		return v, fault.Usagef("verdict", "was not sealed: nothing would bind what is left out").WithHint("glassbuild verify --sign seals the verdict that it signs; save it with --format json --output FILE")
	}
	d, err := read(v)
	if err != nil {
		return v, err
	}
	c := &verdict.Commitments{Root: v.Commitments.Root, Salts: map[string]string{}, Hidden: map[string]string{}}
	for at, e := range d.entries {
		switch {
		case e.salt == nil:
			c.Hidden[at] = e.commitment
		case e.class.hidden(l) && e.text != "" && e.text != verdict.NotDemanded:
			c.Hidden[at] = e.commitment
			e.set(mark(e.commitment))
		default:
			c.Salts[at] = hex.EncodeToString(e.salt)
		}
	}
	return d.write(c)
}

// Opening is one entry with what proves that it is the one that was sealed.
type Opening struct {
	Salt  string `json:"salt"`
	Value string `json:"value"`
}

// Openings are entries that whoever holds the whole verdict opens to whoever holds a redacted one.
type Openings struct {
	Format int                `json:"format"`
	Root   string             `json:"root"` // of the verdict
	Open   map[string]Opening `json:"open"` // by JSON Pointer
}

// Open hands out entries, each named by its JSON Pointer or by the digits that a redacted report shows.
func Open(v verdict.Verdict, which []string) (*Openings, error) {
	if v.Commitments == nil {
		return nil, fault.Usagef("verdict", "was not sealed: there is nothing to open")
	}
	d, err := read(v)
	if err != nil {
		return nil, err
	}
	out := &Openings{Format: 1, Root: v.Commitments.Root, Open: map[string]Opening{}}
	for _, w := range which {
		at, err := d.find(w)
		if err != nil {
			return nil, err
		}
		e := d.entries[at]
		if e.salt == nil {
			return nil, fault.Usagef("--open", "%s is left out of this document: only the whole verdict can open it", fault.Quote(w))
		}
		out.Open[at] = Opening{hex.EncodeToString(e.salt), e.text}
	}
	return out, nil
}

// find returns the pointer of an entry.
func (d *document) find(which string) (string, error) {
	if strings.HasPrefix(which, "/") {
		if d.entries[which] == nil {
			return "", fault.Usagef("--open", "%s is no entry that can be left out", fault.Quote(which))
		}
		return which, nil
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(which, "[redacted "), "]")
	var found []string
	for at, e := range d.entries {
		if len(digits) >= markDigits && strings.HasPrefix(e.commitment, digits) {
			found = append(found, at)
		}
	}
	if len(found) != 1 {
		return "", fault.Usagef("--open", "%s names %d entries", fault.Quote(which), len(found)).WithHint("name an entry by its JSON Pointer, such as /checks/0/text, or by the digits that the redacted report shows")
	}
	return found[0], nil
}

// Apply puts opened entries into a redacted verdict. Each must give the commitment that the verdict holds for it.
func Apply(v verdict.Verdict, o *Openings) (verdict.Verdict, error) {
	if v.Commitments == nil || v.Commitments.Root != o.Root {
		return v, fault.Failf("opening", "is of another verdict")
	}
	d, err := read(v)
	if err != nil {
		return v, err
	}
	c := &verdict.Commitments{Root: v.Commitments.Root, Salts: maps.Clone(v.Commitments.Salts), Hidden: maps.Clone(v.Commitments.Hidden)}
	if c.Salts == nil {
		c.Salts = map[string]string{}
	}
	for _, at := range slices.Sorted(maps.Keys(o.Open)) {
		one, e := o.Open[at], d.entries[at]
		if e == nil {
			return v, fault.Failf("opening", "%s is no entry that can be left out", fault.Quote(at))
		}
		salt, err := hex.DecodeString(one.Salt)
		if err != nil || len(salt) != saltBytes || hex.EncodeToString(salt) != one.Salt {
			return v, fault.Failf("opening", "%s: malformed salt", fault.Quote(at))
		}
		if commit(salt, one.Value) != e.commitment {
			return v, fault.Failf("opening", "%s: is not what was sealed", fault.Quote(at))
		}
		if v.Commitments.Seed != "" {
			continue // nothing is left out
		}
		e.set(one.Value)
		c.Salts[at] = one.Salt
		delete(c.Hidden, at)
	}
	if v.Commitments.Seed != "" {
		return v, nil
	}
	return d.write(c)
}

// ParseOpenings reads a document of openings.
func ParseOpenings(file string, data []byte) (*Openings, error) {
	var o Openings
	if len(data) > maxDocument {
		return nil, fault.Usagef(fault.Quote(file), "exceeds %d bytes", maxDocument)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return nil, fault.Usagef(fault.Quote(file), "opens no entries: %w", err)
	}
	if again, err := o.JSON(); err != nil || !bytes.Equal(again, data) {
		return nil, fault.Usagef(fault.Quote(file), "is not as glassbuild report --open writes it")
	}
	if o.Format != 1 || len(o.Open) == 0 || len(o.Open) > maxOpenings {
		return nil, fault.Usagef(fault.Quote(file), "opens %d entries, want 1 to %d", len(o.Open), maxOpenings)
	}
	return &o, nil
}

// JSON writes the openings.
func (o *Openings) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(o, "", "  ")
	return append(data, '\n'), err
}

// markDigits is how many digits of its commitment an entry that is left out shows.
const markDigits = 8

// mark stands where an entry was left out.
func mark(commitment string) string { return "[redacted " + commitment[:markDigits] + "]" }

func commit(salt []byte, text string) string {
	h := sha256.New()
	h.Write([]byte{tagSalted})
	h.Write(salt)
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// salted derives the salt of one entry.
func salted(seed []byte, at string) []byte {
	m := hmac.New(sha256.New, seed)
	fmt.Fprintf(m, "verdict salt\n%s", at)
	return m.Sum(nil)
}
