package archive

import (
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Clean returns the relative slash path that a stored name means, or a fault. An empty name, NUL, "..", an absolute
// path or a drive letter is "unsafe path". A backslash separates on Windows and is an ordinary character on Unix (systemd
// ships such names), so with dos set it is refused, else only where reading it as a separator would be unsafe.
func Clean(raw string, dos bool) (string, error) {
	unsafe := func() (string, error) { return "", fault.Failf(fault.Quote(raw), "unsafe path") }
	if len(raw) > MaxName {
		return "", fault.Failf(fault.Quote(raw[:64]+"..."), "exceeds limit: name of %d bytes", len(raw))
	}
	if raw == "" || strings.IndexByte(raw, 0) >= 0 || escapes(raw) {
		return unsafe()
	}
	if strings.IndexByte(raw, '\\') >= 0 && (dos || escapes(strings.ReplaceAll(raw, `\`, "/"))) {
		return unsafe()
	}
	parts := strings.Split(raw, "/")
	kept := parts[:0]
	for _, p := range parts {
		if p != "" && p != "." {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		return ".", nil
	}
	return strings.Join(kept, "/"), nil
}

func escapes(name string) bool {
	if name[0] == '/' {
		return true
	}
	if len(name) >= 2 && name[1] == ':' && (name[0]|0x20) >= 'a' && (name[0]|0x20) <= 'z' {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// names holds what an archive has named so far. A name may be given once (the OCI layer specification forbids
// duplicates, and extractors disagree about which one wins), and no path may lead through a link or a file.
type names struct {
	seen map[string]Type // implied marks directories that only follow from a longer path
}

const implied Type = 0

func (n *names) add(e *Entry) error {
	if n.seen == nil {
		n.seen = make(map[string]Type)
	}
	if old, ok := n.seen[e.Name]; ok {
		switch {
		case old != implied:
			return fault.Failf(fault.Quote(e.Name), "duplicate entry")
		case e.Type == Symlink:
			return fault.Failf(fault.Quote(e.Name), "path through symlink")
		case e.Type != Directory:
			return fault.Failf(fault.Quote(e.Name), "path through a file")
		}
	}
	if e.Type == Hardlink {
		if err := n.hardlink(e); err != nil {
			return err
		}
	}
	n.seen[e.Name] = e.Type
	for dir := parent(e.Name); dir != ""; dir = parent(dir) {
		switch t, ok := n.seen[dir]; {
		case !ok:
			n.seen[dir] = implied
		case t == Symlink:
			return fault.Failf(fault.Quote(e.Name), "path through symlink")
		case t != Directory && t != implied:
			return fault.Failf(fault.Quote(e.Name), "path through a file")
		default:
			return nil // everything above was checked when dir was added
		}
	}
	return nil
}

// hardlink demands that the target is a file that came before, as every writer of tar does: a link to anything
// else would reach outside of the archive when it is unpacked (CVE-2026-50163).
func (n *names) hardlink(e *Entry) error {
	target, err := Clean(e.Link, false)
	if err != nil {
		return fault.Failf(fault.Quote(e.Name), "link escapes: hard link to %s", fault.Quote(e.Link))
	}
	for dir := parent(target); dir != ""; dir = parent(dir) {
		if n.seen[dir] == Symlink {
			return fault.Failf(fault.Quote(e.Name), "link escapes: hard link to %s goes through a symlink", fault.Quote(e.Link))
		}
	}
	if t, ok := n.seen[target]; !ok || t == Directory || t == implied {
		return fault.Failf(fault.Quote(e.Name), "link escapes: hard link to %s, which is no earlier file of the archive", fault.Quote(e.Link))
	}
	e.Link = target
	return nil
}

func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return ""
	}
	return name[:i]
}
