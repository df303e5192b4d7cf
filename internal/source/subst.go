package source

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

var (
	errNotUTF8         = errors.New("not valid UTF-8")
	errUnknownEncoding = errors.New("unknown encoding")
)

// substitute fills in "$Format:…$" as git-archive(1) does where a file has export-subst. Placeholders whose value
// depends on the clone and not on the commit (abbreviated ids, ref names, descriptions) are refused: what they give
// elsewhere cannot be known.
func (c *Commit) substitute(data []byte) ([]byte, error) {
	const mark = "$Format:"
	var out []byte
	for {
		start := bytes.Index(data, []byte(mark))
		if start < 0 {
			break
		}
		length := bytes.IndexByte(data[start+len(mark):], '$')
		if length < 0 {
			break
		}
		text, err := c.format(string(data[start+len(mark) : start+len(mark)+length]))
		if err != nil {
			return nil, err
		}
		out = append(append(out, data[:start]...), text...)
		data = data[start+len(mark)+length+1:]
	}
	return append(out, data...), nil
}

// format expands the placeholders of git-log(1), "PRETTY FORMATS", that a commit alone decides.
func (c *Commit) format(f string) (string, error) {
	var b strings.Builder
	for f != "" {
		plain, rest, ok := strings.Cut(f, "%")
		if b.WriteString(plain); !ok {
			break
		}
		text, used, ok := c.placeholder(rest)
		if !ok {
			return "", fault.Inconclusivef("export-subst", "placeholder %q depends on more than the commit, or is unknown", "%"+rest[:min(2, len(rest))]).
				WithCheck(CheckTree)
		}
		b.WriteString(text)
		f = rest[used:]
	}
	return b.String(), nil
}

func (c *Commit) placeholder(f string) (text string, used int, ok bool) {
	facts := &c.facts
	if f == "" {
		return "", 0, false
	}
	switch f[0] {
	case '%':
		return "%", 1, true
	case 'n':
		return "\n", 1, true
	case 'H':
		return facts.ID, 1, true
	case 'T':
		return facts.Tree, 1, true
	case 'P':
		return strings.Join(facts.Parents, " "), 1, true
	case 'B':
		return strings.TrimLeft(facts.Message, "\n"), 1, true
	case 's', 'b':
		subject, body := splitMessage(facts.Message)
		if f[0] == 's' {
			return subject, 1, true
		}
		return body, 1, true
	case 'a', 'c':
		if len(f) < 2 {
			return "", 0, false
		}
		who := facts.Author
		if f[0] == 'c' {
			who = facts.Committer
		}
		text, ok = personPlaceholder(who, f[1])
		return text, 2, ok
	}
	return "", 0, false
}

func personPlaceholder(p Person, what byte) (string, bool) {
	when := time.Unix(p.When, 0).In(zone(p.Zone))
	switch what {
	case 'n':
		return p.Name, true
	case 'e':
		return p.Email, true
	case 'l':
		local, _, _ := strings.Cut(p.Email, "@")
		return local, true
	case 't':
		return fmt.Sprint(p.When), true
	case 'd':
		return when.Format("Mon Jan 2 15:04:05 2006 -0700"), true
	case 'D':
		return when.Format("Mon, 2 Jan 2006 15:04:05 -0700"), true
	case 'i':
		return when.Format("2006-01-02 15:04:05 -0700"), true
	case 'I':
		return when.Format("2006-01-02T15:04:05Z07:00"), true
	case 's':
		return when.Format("2006-01-02"), true
	}
	return "", false
}

// zone reads "+0130".
func zone(z string) *time.Location {
	var hours, minutes int
	if len(z) != 5 {
		return time.UTC
	}
	fmt.Sscanf(z[1:], "%02d%02d", &hours, &minutes)
	offset := hours*3600 + minutes*60
	if z[0] == '-' {
		offset = -offset
	}
	return time.FixedZone("", offset)
}

// splitMessage splits a message into its first paragraph on one line, and the rest.
func splitMessage(m string) (subject, body string) {
	m = strings.TrimLeft(m, "\n")
	subject, body, _ = strings.Cut(m, "\n\n")
	return strings.ReplaceAll(strings.TrimRight(subject, "\n"), "\n", " "), strings.TrimLeft(body, "\n")
}
