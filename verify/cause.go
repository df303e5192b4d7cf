package verify

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
)

// Cause says which factor changes the outputs of a build, and which of their bytes.
type Cause struct {
	Found   bool     // something changes them
	Factors []string // "umask", …; none where they change though nothing was varied
	Lines   []string // for people: the factors, and what they change; may hold the vendor's words, quoted
	Runs    int
}

// findCause finds out by experiment which factor changes the outputs, and ties it to the bytes through the comparison.
func (r *run) findCause(ctx context.Context) (*BuildResult, error) {
	for _, link := range []func(context.Context) error{r.openSource, r.findRecipe} {
		if err := link(ctx); err != nil {
			return nil, err
		}
	}
	if r.vary == nil {
		r.vary, _ = rebuild.ParseVary("all")
	}
	out, found, err := rebuild.FindCause(ctx, r.rebuildRequest(nil))
	r.outcome = out
	res := &BuildResult{Record: r.record(), LogTail: out.LogTail}
	if err != nil {
		return res, err
	}
	res.Cause, err = r.tell(ctx, found)
	return res, err
}

// tell puts what was found into words.
func (r *run) tell(ctx context.Context, c *rebuild.Cause) (*Cause, error) {
	if c == nil {
		return &Cause{Lines: []string{"nothing that was varied changes the outputs: " + strings.Join(r.vary, ", ")}}, nil
	}
	t := &Cause{Found: true, Runs: c.Tried, Factors: c.Factors}
	lead := "the time of the run, or chance: the outputs differ though nothing was varied"
	if !c.Alone {
		lead = r.named(c.Factors)
	}
	if c.Still {
		lead += ": they are the same while it stands still"
	}
	if c.Failed != nil {
		t.Lines = []string{lead + ": the run failed: " + c.Err()}
		return t, nil
	}
	t.Lines = []string{lead + "; below, \"shipped\" is the run without and \"rebuilt\" the one with"}
	for i, a := range r.recipe.Recipe.Artifacts {
		x, y := c.Base.Outputs[i], c.Other.Outputs[i]
		if x.SHA256 == y.SHA256 {
			continue
		}
		lines, err := r.changed(ctx, c, a.Output)
		if err != nil {
			return nil, err
		}
		t.Lines = append(t.Lines, lines...)
	}
	return t, nil
}

// named says what the factors are.
func (r *run) named(list []string) string {
	var words []string
	for _, f := range rebuild.Factors() {
		for _, name := range list {
			if f.Name == name {
				words = append(words, fmt.Sprintf("%s (%s)", name, f.What))
			}
		}
	}
	return strings.Join(words, " and ") + " changes the outputs"
}

// changed says what differs in one output.
func (r *run) changed(ctx context.Context, c *rebuild.Cause, output string) ([]string, error) {
	dir, err := r.dir.Dir("explain")
	if err != nil {
		return nil, err
	}
	one, err := c.Base.Open(output)
	if err != nil {
		return nil, err
	}
	defer one.Close()
	two, err := c.Other.Open(output)
	if err != nil {
		return nil, err
	}
	defer two.Close()
	n, err := compare.Explain(ctx, one, two, compare.Options{Dir: dir, Name: output, Digests: true})
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(output), "could not be explained: %w", err)
	}
	var lines []string
	for line := range strings.Lines(n.Text(0)) {
		if len(lines) == maxExplained {
			return append(lines, "  …"), nil
		}
		lines = append(lines, "  "+strings.TrimRight(line, "\n"))
	}
	return lines, nil
}

// Text writes the cause for people.
func (c *Cause) Text(w io.Writer) {
	for _, l := range c.Lines {
		fmt.Fprintln(w, l)
	}
	if c.Runs > 0 {
		fmt.Fprintf(w, "found by %d runs\n", c.Runs)
	}
}
