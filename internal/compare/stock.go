package compare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/artifact"
)

// Uncovered says of a member that would run that nothing accounts for it. Only a Stock says so.
const Uncovered Status = "uncovered"

// A Stock is all that rebuilds gave: outputs and, by digest, everything in them, beside the verified trees. Files of a
// release are accounted for by it, whatever they are called and however deep they lie.
//
// What runs (artifact.Runs) must have been rebuilt. A script that lies byte for byte in a verified tree, or in an output,
// counts too if it has the same name there, for nothing compiles it: under another name it would play another part.
type Stock struct {
	made  map[string][]made   // by digest
	named map[string][]*Claim // outputs by base name
	files map[string][]string
	links map[string][]string
	all   []*Claim
	mu    sync.Mutex // guards Claim.Shipped: files are accounted for side by side
}

// A Claim is one output, which may be shipped under its name.
type Claim struct {
	Build   int // of which rebuild; the caller numbers them
	Output  string
	Member  string // where the recipe says that it sits, "" for nowhere in particular
	SHA256  string
	Size    int64
	Format  string
	Shipped bool // set by Account and Take when the output was met, by itself or inside something
	inside  map[string]bool
}

// made is a place in the outputs.
type made struct {
	claim *Claim
	path  string // inside the output, "" for the output itself
}

// NewStock returns a stock that accounts for nothing.
func NewStock() *Stock {
	return &Stock{made: map[string][]made{}, named: map[string][]*Claim{}, files: map[string][]string{}, links: map[string][]string{}}
}

// AddTree adds the files of a verified tree.
func (s *Stock) AddTree(tree []TreeFile) {
	for _, f := range tree {
		to := s.files
		if f.Link {
			to = s.links
		}
		if names := to[f.SHA256]; (len(names) < maxTreeNames || f.Size == 0) && !slices.Contains(names, f.Path) {
			to[f.SHA256] = append(names, f.Path)
		}
	}
}

// AddOutput adds an output. What is in it counts once List was called.
func (s *Stock) AddOutput(c Claim) *Claim {
	claim := &c
	claim.inside = map[string]bool{c.SHA256: true}
	s.all = append(s.all, claim)
	s.put(c.SHA256, made{claim, ""})
	for _, name := range []string{path.Base(c.Output), path.Base(c.Member)} {
		if name != "." && !slices.Contains(s.named[name], claim) {
			s.named[name] = append(s.named[name], claim)
		}
	}
	return claim
}

// List adds what is in an output.
func (s *Stock) List(claim *Claim, listing *artifact.Artifact) {
	claim.Format = listing.Root.Format
	_ = listing.Walk(func(m *artifact.Member) error {
		if m.Path != "" && m.SHA256 != "" && m.Size > 0 {
			claim.inside[m.SHA256] = true
			s.put(m.SHA256, made{claim, m.Path})
		}
		return nil
	})
}

func (s *Stock) put(sum string, m made) {
	if len(s.made[sum]) < maxTreeNames {
		s.made[sum] = append(s.made[sum], m)
	}
}

// Outputs returns every output, in the order in which they were added.
func (s *Stock) Outputs() []*Claim { return s.all }

// Made returns the output that has these bytes or holds them, and where.
func (s *Stock) Made(sum string) (*Claim, string, bool) {
	if list := s.made[sum]; len(list) > 0 {
		return list[0].claim, list[0].path, true
	}
	return nil, "", false
}

// Take accounts for a file by its digest alone: ok is false when it is no output and in none.
func (s *Stock) Take(name, sum string, size int64) (Line, bool) {
	list := s.made[sum]
	if len(list) == 0 {
		return Line{}, false
	}
	s.met(sum)
	return Line{Member: name, Type: artifact.File, Status: Identical, SHA256: sum, Size: size, From: list[0].String()}, true
}

// String names a place as a path.
func (m made) String() string {
	if m.path == "" {
		return m.claim.Output
	}
	return m.claim.Output + "/" + m.path
}

// met marks every output that lies in shipped bytes: the output itself, and those that a shipped output holds.
func (s *Stock) met(sum string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.made[sum] {
		if m.path != "" {
			continue
		}
		for inner := range m.claim.inside {
			for _, o := range s.made[inner] {
				if o.path == "" {
					o.claim.Shipped = true
				}
			}
		}
	}
}

// A Compared is a member that has the name of an output and other bytes.
type Compared struct {
	Member *artifact.Member
	Claim  *Claim
}

// A StockAccount accounts for one file of a release.
type StockAccount struct {
	Lines    []Line
	Compared []Compared // the lines of status Different, in their order
	Problems []artifact.Problem
}

// Account accounts for every member of a file of a release. name is what the release calls it.
func (s *Stock) Account(ctx context.Context, a *artifact.Artifact, name string) (StockAccount, error) {
	w := &stockTaker{ctx: ctx, s: s, a: a, name: name}
	err := w.member(a.Root, nil, false)
	return w.out, err
}

type stockTaker struct {
	ctx  context.Context
	s    *Stock
	a    *artifact.Artifact
	name string
	out  StockAccount
}

// member accounts for m. covered tells that a container around it lies in a verified tree: only what would run still needs
// an account of its own.
func (w *stockTaker) member(m *artifact.Member, within []*artifact.Member, covered bool) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	l := Line{Member: w.path(m), Type: m.Type, SHA256: m.SHA256, Size: m.Size, Format: m.Format, Flags: flags(m)}
	why := w.a.Runs(m, within)
	switch m.Type {
	case artifact.Directory:
		l.Status = Opened
		if len(l.Flags) > 0 {
			w.out.Lines = append(w.out.Lines, l)
		}
		return w.inside(m, within, covered)
	case artifact.Symlink:
		sum := sha256.Sum256([]byte(m.Link))
		l.SHA256 = hex.EncodeToString(sum[:])
		l.Note = "link to " + m.Link
		l.Status, l.From = treeLookup(w.s.links, l.SHA256, l.Member, true, 0)
	default:
		w.file(m, why, &l)
	}
	if l.Note == "" {
		l.Note = why
	}
	if l.Status == Identical {
		w.out.Lines = append(w.out.Lines, l)
		return nil
	}
	if l.Status == Nowhere && len(m.Members) > 0 && m.Problem == nil {
		l.Status = Opened
	}
	if !covered || why != "" || l.Status == Different {
		w.out.Lines = append(w.out.Lines, l)
		if l.Status == Different {
			w.out.Compared = append(w.out.Compared, Compared{m, w.s.meant(m)})
		}
	}
	return w.inside(m, within, covered || l.Status == InTree)
}

// file says where the bytes of a file come from.
func (w *stockTaker) file(m *artifact.Member, why string, l *Line) {
	base := path.Base(l.Member)
	if m.Size > 0 {
		for _, x := range w.s.made[m.SHA256] {
			if why == "" || x.path == "" || !textual(m) || samePart(base, path.Base(x.String())) {
				l.Status, l.From = Identical, x.String()
				w.s.met(m.SHA256)
				return
			}
		}
	}
	l.Status, l.From = treeLookup(w.s.files, m.SHA256, l.Member, false, m.Size)
	if why == "" {
		if l.Status == Nowhere && w.s.meant(m) != nil {
			l.Status, l.From = Different, w.s.meant(m).Output
		}
		return
	}
	if l.Status == InTree && textual(m) && samePart(base, path.Base(l.From)) {
		return
	}
	l.Status, l.From = Uncovered, ""
	if c := w.s.meant(m); c != nil {
		l.Status, l.From = Different, c.Output
	}
}

// textual tells that a member runs as it was written: nothing is compiled.
func textual(m *artifact.Member) bool { return m.Format == "script" || !m.Executable() }

// samePart tells whether a file of that name in the tree plays the same part: its own name, or the one that packaging
// tools take it from, as debian/NAME.postinst is for postinst.
func samePart(shipped, tree string) bool {
	return shipped == tree || strings.HasSuffix(tree, "."+strings.TrimPrefix(shipped, ".")) && strings.TrimPrefix(shipped, ".") != ""
}

// meant returns the output whose name a member has, if there is one of its kind.
func (s *Stock) meant(m *artifact.Member) *Claim {
	list := s.named[path.Base(m.Name)]
	var best *Claim
	for _, c := range list {
		if c.Format != "" && m.Format != "" && c.Format != m.Format {
			continue
		}
		if best == nil || distance(c.Size, m.Size) < distance(best.Size, m.Size) {
			best = c
		}
	}
	return best
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

func (w *stockTaker) path(m *artifact.Member) string {
	if m.Path == "" {
		return w.name
	}
	return w.name + "/" + m.Path
}

func (w *stockTaker) inside(m *artifact.Member, within []*artifact.Member, covered bool) error {
	if m.Problem != nil {
		w.out.Problems = append(w.out.Problems, artifact.Problem{Path: w.path(m), Err: m.Problem.Err})
	}
	if !covered {
		for _, r := range m.Regions {
			l := Line{Member: w.path(m), Type: artifact.File, Status: Nowhere, Size: r.Size, Note: r.What}
			if strings.HasPrefix(r.What, "boot ") {
				l.Status = Uncovered
			}
			w.out.Lines = append(w.out.Lines, l)
		}
	}
	below := append(within[:len(within):len(within)], m)
	for _, c := range m.Members {
		if err := w.member(c, below, covered); err != nil {
			return err
		}
	}
	return nil
}

// treeLookup finds a digest in the tree and prefers the path most like the member's. Every empty file has one digest, so an
// empty one is only in the tree when an empty file of its name is.
func treeLookup(in map[string][]string, sum, member string, link bool, size int64) (Status, string) {
	best, score := "", -1
	for _, p := range in[sum] {
		if !link && size == 0 && path.Base(p) != path.Base(member) {
			continue
		}
		if n := commonSuffix(p, member); n > score {
			best, score = p, n
		}
	}
	if score < 0 {
		return Nowhere, ""
	}
	return InTree, best
}

// Holds calls f with the digest of the output and of everything in it.
func (c *Claim) Holds(f func(sum string)) {
	for sum := range c.inside {
		f(sum)
	}
}
