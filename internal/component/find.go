package component

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// State is what is known about a component in a product. The zero State says nothing.
type State string

// The states, the worst last.
const (
	Audited State = "audited" // the build of the release
	Other   State = "other-version"
	Unknown State = "unknown" // it is there, and whether it is the build of the release cannot be told
	Altered State = "altered" // it says that it is that version, and is not
)

// Finding is a component in a product.
type Finding struct {
	Path      string   `json:"path"` // in the product
	SHA256    string   `json:"sha256"`
	State     State    `json:"state"`
	How       string   `json:"how"`     // digest, stripped, build-info, build-id, functions
	Release   string   `json:"release"` // by which name it is known
	Component string   `json:"component"`
	Version   string   `json:"version,omitempty"` // that the product says it has
	Text      string   `json:"text"`
	Same      int      `json:"same,omitempty"`    // functions that are those of the release
	Changed   []string `json:"changed,omitempty"` // functions of the same name, or at the same place, with other code or data
	Added     []string `json:"added,omitempty"`   // functions of the component that the release has not
	Changes   int      `json:"changes,omitempty"` // all of Changed and Added, also those that are not named
}

// Report is what Search found.
type Report struct {
	Findings []Finding `json:"findings"`
	Files    int       `json:"files"`
	Programs int       `json:"programs"` // whose functions were looked at
	Carved   int       `json:"carved,omitempty"`
	Problems []string  `json:"problems,omitempty"` // what could not be looked into
}

// searcher is one search under way.
type searcher struct {
	ctx   context.Context
	x     *Index
	dir   string
	mu    sync.Mutex
	rep   Report
	seen  map[string]*Finding // by digest: the same file in two places is looked at once
	work  chan func()
	group sync.WaitGroup
}

// Search holds everything in an artefact against the index. dir is a private folder for what is carved out.
func (x *Index) Search(ctx context.Context, a *artifact.Artifact, dir string) (*Report, error) {
	s := &searcher{ctx: ctx, x: x, dir: dir, seen: map[string]*Finding{}, work: make(chan func(), 2*runtime.GOMAXPROCS(0))}
	for range runtime.GOMAXPROCS(0) {
		s.group.Go(func() {
			for f := range s.work {
				f()
			}
		})
	}
	err := s.artefact(a, "", 0)
	close(s.work)
	s.group.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.rep.Findings, func(a, b Finding) int {
		if a.State != b.State {
			return order(b.State) - order(a.State)
		}
		return strings.Compare(a.Path, b.Path)
	})
	return &s.rep, nil
}

func order(s State) int { return slices.Index([]State{Audited, Other, Unknown, Altered}, s) }

// artefact looks at every member, those of the product itself under their own paths.
func (s *searcher) artefact(a *artifact.Artifact, prefix string, depth int) error {
	var pending sync.WaitGroup // programs are looked at side by side, and a must stay open meanwhile
	defer pending.Wait()
	return a.Walk(func(m *artifact.Member) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if m.Type != artifact.File || m.Size == 0 {
			return nil
		}
		name := join(prefix, m.Path)
		if name == "" {
			name = a.Name
		}
		s.mu.Lock()
		s.rep.Files++
		s.mu.Unlock()
		if p, ok := s.x.files[m.SHA256]; ok {
			s.whole(name, m, p, "digest", "the file is that of the release, bit for bit")
			return nil
		}
		switch {
		case compiled(m.Format):
			pending.Add(1)
			s.work <- func() {
				defer pending.Done()
				s.program(a, m, name)
			}
		case m.Format == "" && len(m.Members) == 0 && m.Size >= minBlob, m.Problem != nil:
			n, err := s.carve(a, m, name, depth)
			if m.Problem != nil && n == 0 {
				s.problem(fault.Quote(name) + ": " + m.Problem.Err.Error())
			}
			return err
		}
		return nil
	})
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "/" + b
}

func (s *searcher) add(f Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rep.Findings = append(s.rep.Findings, f)
}

// problem notes what could not be looked into.
func (s *searcher) problem(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rep.Problems) < maxNamed {
		s.rep.Problems = append(s.rep.Problems, text)
	}
}

// whole notes a file of the release.
func (s *searcher) whole(name string, m *artifact.Member, p place, how, text string) {
	r := &s.x.Releases[p.release]
	s.add(Finding{Path: name, SHA256: m.SHA256, State: Audited, How: how, Release: r.Name, Component: r.Files[p.file].Path, Text: text})
}

// program holds one program against all programs of the index.
func (s *searcher) program(a *artifact.Artifact, m *artifact.Member, name string) {
	s.mu.Lock()
	known, ok := s.seen[m.SHA256]
	s.mu.Unlock()
	if ok {
		if known != nil {
			again := *known
			again.Path = name
			s.add(again)
		}
		return
	}
	data, err := read(a, m)
	if err != nil || data == nil {
		s.problem(fault.Quote(name) + ": too large, or cannot be read")
		return
	}
	f := s.look(data, m, name)
	s.mu.Lock()
	s.rep.Programs++
	s.seen[m.SHA256] = f
	s.mu.Unlock()
	if f != nil {
		s.add(*f)
	}
}

// look finds the component in a program, by the release that explains most of it.
func (s *searcher) look(data []byte, m *artifact.Member, name string) *Finding {
	if len(s.x.loaded) > 0 {
		if p, ok := s.x.loaded[loadedDigest(data)]; ok {
			r := &s.x.Releases[p.release]
			return &Finding{Path: name, SHA256: m.SHA256, State: Audited, How: "stripped", Release: r.Name, Component: r.Files[p.file].Path,
				Text: "everything that is loaded into memory is that of the release; symbols or notes were changed"}
		}
	}
	p, ok := code.OpenProgram(data)
	if !ok {
		return nil
	}
	var best *Finding
	for i := range s.x.Releases {
		r := &s.x.Releases[i]
		for _, g := range r.groups {
			f := match(p, g)
			if f == nil {
				continue
			}
			f.Path, f.SHA256, f.Release = name, m.SHA256, r.Name
			if best == nil || better(f, best) {
				best = f
			}
		}
	}
	return best
}

// better prefers the release that explains more: the audited build, then fewer changes, then more that is the same.
func better(f, g *Finding) bool {
	switch {
	case (f.State == Audited) != (g.State == Audited):
		return f.State == Audited
	case f.Changes != g.Changes && f.Same+f.Changes > 0 && g.Same+g.Changes > 0:
		return f.Changes*(g.Same+g.Changes) < g.Changes*(f.Same+f.Changes)
	}
	return f.Same > g.Same
}
