package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe/gobinary"
)

// goInfo is what a Go program says of its own build; empty for everything else.
type goInfo struct{ version, commit string }

// goInfo reads the subject's build info, where it is a Go program and its bytes are at hand.
func (s *subject) goInfo(ctx context.Context) (*goInfo, error) {
	if s.open == nil {
		return &goInfo{}, nil
	}
	r, size, err := s.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := gobinary.Read(ctx, r, size)
	switch {
	case errors.Is(err, gobinary.ErrNoBuildInfo):
		return &goInfo{}, nil
	case err != nil:
		return nil, fmt.Errorf("%s: what it says of its own build cannot be read: %w", fault.Quote(s.name), err)
	}
	commit, _ := info.Get("vcs.revision")
	version, _, _ := strings.Cut(info.Go, " ") // experiments stand behind it
	return &goInfo{version, commit}, nil
}

// against returns what a program says of itself and provenance says otherwise.
func (g *goInfo) against(name string, p *evidence.Provenance) []string {
	var out []string
	if g.commit != "" && p.Commit != "" && g.commit != p.Commit {
		out = append(out, fmt.Sprintf("%s says commit %s, the program itself %s", fault.Quote(name), fault.Quote(p.Commit), fault.Quote(g.commit)))
	}
	if said := p.GoVersions(); g.version != "" && len(said) > 0 && !slices.Contains(said, g.version) {
		out = append(out, fmt.Sprintf("%s says it was built by %s, the program itself by %s", fault.Quote(name), fault.Quote(strings.Join(said, ", ")), fault.Quote(g.version)))
	}
	return out
}

// content is a subject's bytes.
type content interface {
	io.Reader
	io.ReaderAt
	io.Closer
}
