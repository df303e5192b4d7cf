package gitobj

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// CheckCommit is the check that every fault about the text of a commit or tag decides.
const CheckCommit = "source.commit"

// Person is the author, committer or tagger of an object.
type Person struct {
	Name  string
	Email string
	When  int64  // seconds since the epoch
	Zone  string // "+0200"
}

// field is one header of a commit or tag: its name, and its value without the continuation marks.
type field struct {
	name  string
	value []byte
}

// fields splits the headers from the message. Where git's several readers disagree about a byte, it is refused.
func fields(data []byte, refuse func(string) error) ([]field, []byte, error) {
	var list []field
	for lines := 0; ; lines++ {
		if lines == maxHeaderLines {
			return nil, nil, refuse("too many headers: exceeds limit")
		}
		eol := bytes.IndexByte(data, '\n')
		if eol < 0 {
			return nil, nil, refuse("no end of headers")
		}
		line := data[:eol]
		if eol == 0 {
			return list, data[1:], nil
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return nil, nil, refuse("NUL in a header")
		}
		if line[0] == ' ' {
			if len(list) == 0 {
				return nil, nil, refuse("continuation without a header")
			}
			last := &list[len(list)-1]
			last.value = append(append(last.value, '\n'), line[1:]...)
		} else {
			name, value, ok := bytes.Cut(line, []byte{' '})
			if !ok || len(name) == 0 {
				return nil, nil, refuse("header without a value")
			}
			list = append(list, field{string(name), bytes.Clone(value)})
		}
		data = data[eol+1:]
	}
}

// signatureHeader returns the header that signs objects of a format.
func signatureHeader(f Format) string {
	if f == SHA256 {
		return "gpgsig-sha256"
	}
	return "gpgsig"
}

// isSignature tells whether git leaves a header out of what is signed: it does so by prefix, so that any other name
// that begins like this would be text which no signature covers.
func isSignature(name string) bool { return strings.HasPrefix(name, "gpgsig") }

// parsePerson reads "Name <email> seconds zone".
func parsePerson(v []byte) (Person, bool) {
	if len(v) > maxIdentLength || bytes.IndexByte(v, '\n') >= 0 {
		return Person{}, false
	}
	open := bytes.IndexByte(v, '<')
	end := bytes.LastIndexByte(v, '>')
	// a second '>' gives two readings of where the address ends
	if open < 0 || end < open || end+2 > len(v) || v[end+1] != ' ' || bytes.IndexByte(v, '>') != end {
		return Person{}, false
	}
	seconds, zone, ok := strings.Cut(string(v[end+2:]), " ")
	if !ok || !digits(seconds) || len(zone) < 5 || len(zone) > 8 || (zone[0] != '+' && zone[0] != '-') || !digits(zone[1:]) {
		return Person{}, false
	}
	when, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || when > math.MaxInt64/2 {
		return Person{}, false
	}
	name := strings.TrimSuffix(string(v[:open]), " ")
	return Person{Name: name, Email: string(v[open+1 : end]), When: when, Zone: zone}, true
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// refuser makes the faults of one object.
func refuser(what string, id ID) func(string) error {
	return func(why string) error {
		return fault.Failf(what+" "+id.String(), "ambiguous %s: %s", what, why).WithCheck(CheckCommit)
	}
}
