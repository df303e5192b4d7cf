package rootfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// Manifest lists what a root holds, one line for each name in the order of a walk:
//
//	d MODE UID GID MTIME "name" [attribute=hex …]
//	f MODE UID GID MTIME SIZE SHA256 "name" [attribute=hex …]
//	h "first name" "name"                      another name of the same file
//	l UID GID MTIME "target" "name"
type Manifest struct {
	lines []string
	items []item
}

// item is what a line says of the disk.
type item struct {
	kind  byte
	name  string
	mode  uint32
	mtime int64
	size  int64
	sum   string
	link  string // target of a link, first name of a hard link
}

// Text returns the lines.
func (m *Manifest) Text() []byte {
	var b bytes.Buffer
	for _, l := range m.lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Digest returns "sha256:" and the SHA-256 of the text.
func (m *Manifest) Digest() string {
	sum := sha256.Sum256(m.Text())
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Len returns the number of names.
func (m *Manifest) Len() int { return len(m.items) }

// add writes down a node; first is the earlier name of its content.
func (m *Manifest) add(n *node, first string) {
	it := item{name: n.Name, mode: n.Mode & 0o7777, mtime: stamp(n.ModTime).Unix()}
	var line string
	switch {
	case first != "":
		it.kind, it.link = 'h', first
		line = fmt.Sprintf("h %s %s", strconv.Quote(first), strconv.Quote(n.Name))
	case n.Type == archive.Directory:
		it.kind = 'd'
		line = fmt.Sprintf("d %04o %d %d %d %s%s", it.mode, n.UID, n.GID, it.mtime, strconv.Quote(n.Name), attributes(n.Xattrs))
	case n.Type == archive.Symlink:
		it.kind, it.link = 'l', n.Link
		line = fmt.Sprintf("l %d %d %d %s %s", n.UID, n.GID, it.mtime, strconv.Quote(n.Link), strconv.Quote(n.Name))
	default:
		it.kind, it.size, it.sum = 'f', n.content.size, n.content.sum
		line = fmt.Sprintf("f %04o %d %d %d %d %s %s%s", it.mode, n.UID, n.GID, it.mtime, it.size, it.sum, strconv.Quote(n.Name), attributes(n.Xattrs))
	}
	m.lines = append(m.lines, line)
	m.items = append(m.items, it)
}

func attributes(x map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(x)) {
		fmt.Fprintf(&b, " %s=%x", strconv.Quote(k), x[k])
	}
	return b.String()
}

var errLine = errors.New("malformed line")

// ParseManifest reads Text back.
func ParseManifest(text []byte) (*Manifest, error) {
	if len(text) > MaxManifest {
		return nil, fmt.Errorf("exceeds %d bytes", MaxManifest)
	}
	m := &Manifest{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		it, err := parseItem(line)
		if err != nil {
			return nil, err
		}
		m.lines = append(m.lines, line)
		m.items = append(m.items, it)
	}
	if len(m.items) == 0 || m.items[0].kind != 'd' || m.items[0].name != "." {
		return nil, errLine
	}
	return m, nil
}

func parseItem(line string) (item, error) {
	kind, rest, ok := strings.Cut(line, " ")
	if !ok || len(kind) != 1 {
		return item{}, errLine
	}
	it := item{kind: kind[0]}
	var numbers []string
	want := map[byte]int{'d': 4, 'f': 6, 'h': 0, 'l': 3}
	n, ok := want[it.kind]
	if !ok {
		return item{}, errLine
	}
	for range n {
		var word string
		if word, rest, ok = strings.Cut(rest, " "); !ok {
			return item{}, errLine
		}
		numbers = append(numbers, word)
	}
	var err error
	if it.kind == 'h' || it.kind == 'l' {
		if it.link, rest, err = quoted(rest); err != nil || !strings.HasPrefix(rest, " ") {
			return item{}, errLine
		}
		rest = rest[1:]
	}
	if it.name, _, err = quoted(rest); err != nil || !local(it.name) {
		return item{}, errLine
	}
	return it, it.read(numbers)
}

func (it *item) read(numbers []string) error {
	var err error
	switch it.kind {
	case 'l':
		it.mtime, err = strconv.ParseInt(numbers[2], 10, 64)
		return err
	case 'h':
		return nil
	}
	mode, err := strconv.ParseUint(numbers[0], 8, 32)
	if err != nil {
		return err
	}
	it.mode = uint32(mode)
	if it.mtime, err = strconv.ParseInt(numbers[3], 10, 64); err != nil || it.kind == 'd' {
		return err
	}
	it.sum = numbers[5]
	it.size, err = strconv.ParseInt(numbers[4], 10, 64)
	return err
}

// quoted takes a Go string off the front.
func quoted(s string) (value, rest string, err error) {
	prefix, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", err
	}
	value, err = strconv.Unquote(prefix)
	return value, s[len(prefix):], err
}

func local(name string) bool {
	return name == "." || name != "" && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../")
}
