package compare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sort"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/pass"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// Status says where a member comes from. The zero value means that nobody has said.
type Status string

// The statuses of members.
const (
	Identical  Status = "identical"  // rebuilt, bit for bit
	Different  Status = "different"  // rebuilt, and not the same
	Equivalent Status = "equivalent" // rebuilt; all that differs was declared, allowed, and is accounted for
	InTree     Status = "in-tree"    // not rebuilt; the same bytes lie in the verified tree
	Nowhere    Status = "nowhere"    // neither rebuilt nor in the verified tree
	Opened     Status = "opened"     // a container that was not rebuilt: its members speak for themselves, its own bytes for nothing
	Missing    Status = "missing"    // an output claims a member that was not shipped
)

// Rebuilt is one output of the rebuild and the member of the artefact that it claims to be.
type Rebuilt struct {
	Member  string // path in the artefact, "" for the artefact itself
	Output  string // what the build calls it
	SHA256  string
	Size    int64
	Content Content  // for counting what differs; without it only the digests are compared
	Allow   []string // differences that both recipe and policy name, see internal/allow
	Dir     string   // private folder for expanded content, needed with Allow
	Keys    signature.Options
}

// TreeFile is one file of the verified source tree.
type TreeFile struct {
	Path   string
	SHA256 string
	Size   int64
	Link   bool // a symlink; the digest is that of its target's text
}

// A Line accounts for one member, or for a run of container bytes.
type Line struct {
	Member     string              `json:"member"`
	Type       artifact.MemberType `json:"type"`
	Status     Status              `json:"status"`
	SHA256     string              `json:"sha256,omitempty"`
	Size       int64               `json:"size"`
	Format     string              `json:"format,omitempty"`
	From       string              `json:"from,omitempty"`  // the output, or the path in the verified tree
	Flags      []string            `json:"flags,omitempty"` // set-uid, set-gid, extended attributes, executable
	Note       string              `json:"note,omitempty"`
	Difference *Difference         `json:"difference,omitempty"`
	Forgiven   *pass.Outcome       `json:"-"` // where differences may be forgiven: which were, or why not
}

// An Accounting is the account of an artefact or of one of its members. The zero value matches nothing.
type Accounting struct {
	Subject  string             `json:"subject"` // path of the member that was accounted for, "" for the artefact
	SHA256   string             `json:"sha256"`
	Lines    []Line             `json:"lines"`
	Counts   map[Status]int     `json:"counts"`
	Problems []artifact.Problem `json:"-"` // refusals of containers that no identical or in-tree file covers
}

// Match returns "identical" when the subject itself, container and all, was rebuilt bit for bit; "equivalent" when it was
// but for declared differences; "different" when an
// output differs or claims what was not shipped; "partial" when only some members were rebuilt; "not-rebuilt" when none.
func (a Accounting) Match() string {
	switch {
	case len(a.Lines) == 0:
		return "not-rebuilt"
	case a.Counts[Different] > 0 || a.Counts[Missing] > 0:
		return "different"
	case len(a.Lines) == 1 && a.Lines[0].Status == Identical && a.Lines[0].Member == a.Subject:
		return "identical"
	case len(a.Lines) == 1 && a.Lines[0].Status == Equivalent && a.Lines[0].Member == a.Subject:
		return "equivalent"
	case a.Counts[Identical]+a.Counts[Equivalent] > 0:
		return "partial"
	}
	return "not-rebuilt"
}

// Account accounts for every member of a.
func Account(ctx context.Context, a *artifact.Artifact, rebuilt []Rebuilt, tree []TreeFile) (Accounting, error) {
	return AccountFor(ctx, a, a.Root, rebuilt, tree)
}

// AccountFor accounts for one member and what is in it. Claims about members elsewhere in the artefact are left out.
func AccountFor(ctx context.Context, a *artifact.Artifact, subject *artifact.Member, rebuilt []Rebuilt, tree []TreeFile) (Accounting, error) {
	w := &accountant{ctx: ctx, a: a, claims: make(map[string]*Rebuilt), files: make(map[string][]string), links: make(map[string][]string)}
	w.out = Accounting{Subject: subject.Path, SHA256: subject.SHA256, Counts: make(map[Status]int)}
	for i := range rebuilt {
		w.claims[rebuilt[i].Member] = &rebuilt[i]
	}
	for _, f := range tree {
		to := w.files
		if f.Link {
			to = w.links
		}
		if names := to[f.SHA256]; len(names) < maxTreeNames || f.Size == 0 {
			to[f.SHA256] = append(names, f.Path)
		}
	}
	if err := w.member(subject); err != nil {
		return Accounting{}, err
	}
	if err := w.missing(subject); err != nil {
		return Accounting{}, err
	}
	return w.out, nil
}

type accountant struct {
	ctx    context.Context
	a      *artifact.Artifact
	claims map[string]*Rebuilt
	files  map[string][]string // digest to paths in the verified tree
	links  map[string][]string
	out    Accounting
}

func (w *accountant) add(l Line) {
	w.out.Lines = append(w.out.Lines, l)
	w.out.Counts[l.Status]++
}

func (w *accountant) member(m *artifact.Member) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	l := Line{Member: m.Path, Type: m.Type, SHA256: m.SHA256, Size: m.Size, Format: m.Format, Flags: flags(m)}
	if r := w.claims[m.Path]; r != nil && m.Type != artifact.Directory {
		if err := w.claimed(m, r, &l); err != nil {
			return err
		}
		w.add(l)
		if l.Status == Identical || l.Status == Equivalent {
			return nil
		}
		return w.inside(m)
	}
	switch m.Type {
	case artifact.Directory:
		return w.directory(m, l)
	case artifact.Symlink:
		sum := sha256.Sum256([]byte(m.Link))
		l.SHA256 = hex.EncodeToString(sum[:])
		l.Status, l.From = treeLookup(w.links, l.SHA256, m.Path, true, m.Size)
		l.Note = "link to " + m.Link
	default:
		l.Status, l.From = treeLookup(w.files, m.SHA256, m.Path, false, m.Size)
	}
	if l.Status == Nowhere && len(m.Members) > 0 && m.Problem == nil {
		l.Status = Opened
		l.Note = "container not rebuilt"
	}
	w.add(l)
	if l.Status == InTree {
		return nil
	}
	return w.inside(m)
}

// claimed compares a member with the output that claims it. A hard link or file is compared; a link cannot be claimed.
func (w *accountant) claimed(m *artifact.Member, r *Rebuilt, l *Line) error {
	l.Status, l.From = Different, r.Output
	if m.Type == artifact.Symlink {
		l.Note = "shipped as a link"
		return nil
	}
	if m.SHA256 != "" && m.SHA256 == r.SHA256 && m.Size == r.Size {
		l.Status = Identical
		return nil
	}
	if r.Content == nil {
		return nil
	}
	c, err := w.a.Content(m)
	if err != nil {
		return err
	}
	defer c.Close()
	d, err := Files(w.ctx, c, r.Content)
	l.Difference = &d
	if err != nil || d.Equal || len(r.Allow) == 0 {
		return err
	}
	out, err := pass.Judge(w.ctx, c, r.Content, r.Allow, pass.Options{Dir: r.Dir, Name: m.Path, Keys: r.Keys})
	if err != nil {
		return err
	}
	l.Forgiven = &out
	if out.Equivalent {
		l.Status = Equivalent
	}
	return nil
}

// inside accounts for what a container holds: its members, and bytes that belong to none.
func (w *accountant) inside(m *artifact.Member) error {
	if m.Problem != nil {
		w.out.Problems = append(w.out.Problems, *m.Problem)
	}
	for _, r := range m.Regions {
		w.add(Line{Member: m.Path, Type: artifact.File, Status: Nowhere, Size: r.Size, Note: r.What})
	}
	for _, c := range m.Members {
		if err := w.member(c); err != nil {
			return err
		}
	}
	return nil
}

// directory adds a line only for the directory that is the subject, and for one whose metadata matters.
func (w *accountant) directory(m *artifact.Member, l Line) error {
	l.Status, l.Note = Opened, "directory"
	if m.Path == w.out.Subject || len(l.Flags) > 0 {
		w.add(l)
	}
	return w.inside(m)
}

func commonSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// missing adds a line for every claim about a member of the subject that was not shipped.
func (w *accountant) missing(subject *artifact.Member) error {
	var gone []string
	for p := range w.claims {
		if !under(p, subject.Path) {
			continue
		}
		if m, err := w.a.Find(p); err != nil || m.Type == artifact.Directory {
			gone = append(gone, p)
		}
	}
	sort.Strings(gone)
	for _, p := range gone {
		r := w.claims[p]
		w.add(Line{Member: p, Type: artifact.File, Status: Missing, SHA256: r.SHA256, Size: r.Size, From: r.Output})
	}
	return nil
}

func under(p, dir string) bool {
	return dir == "" || p == dir || len(p) > len(dir) && p[:len(dir)] == dir && p[len(dir)] == '/'
}

// flags lists what makes a member more than its bytes.
func flags(m *artifact.Member) []string {
	var f []string
	for _, b := range []struct {
		bit  uint32
		name string
	}{{0o4000, "set-uid"}, {0o2000, "set-gid"}} {
		if m.Mode&b.bit != 0 && m.Type != artifact.Symlink {
			f = append(f, b.name)
		}
	}
	var attrs []string
	for name := range m.Xattrs {
		attrs = append(attrs, "attribute "+name)
	}
	sort.Strings(attrs)
	f = append(f, attrs...)
	if m.Executable() {
		f = append(f, "executable")
	}
	return f
}
