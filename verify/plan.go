package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Plan is what a verification would do. Making it runs nothing of the vendor's.
type Plan struct {
	facts  verdict.Facts
	recipe *recipe.Resolved
	work   rebuild.Estimate
}

// MakePlan opens the artefact and the commit and finds the recipe, as Run does, and stops there.
func MakePlan(ctx context.Context, req Request) (*Plan, error) {
	r, err := begin(ctx, req)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if r.kit != nil && r.kit.release != nil {
		return nil, fault.Usagef("--plan", "is about one artefact, and the kit holds a release").WithHint("glassbuild kit inspect says what is in it")
	}
	if err := r.snapshot(ctx); err != nil {
		return nil, err
	}
	if _, ok := r.module(); ok {
		return nil, fault.Usagef("--plan", "%s is a Go module zip: nothing would be fetched, built or run for it", fault.Quote(r.shipped.Name)).
			WithHint("leave --plan out: this program packs the files of the commit itself")
	}
	for _, link := range []func(context.Context) error{r.openSource, r.findRecipe} {
		if err := link(ctx); err != nil {
			return nil, err
		}
	}
	work, err := rebuild.Foresee(ctx, r.rebuildRequest(nil))
	if err != nil {
		return nil, err
	}
	return &Plan{facts: r.facts, recipe: r.recipe, work: work}, nil
}

// Text renders the plan.
func (p *Plan) Text() []byte {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	f := p.facts
	line("artefact", "%s", fault.Quote(f.Subject.Name))
	if f.Subject.Member != "" {
		line("member", "%s", fault.Quote(f.Subject.Member))
	}
	line("sha256", "%s", f.Subject.SHA256)
	line("source", "%s", fault.Quote(f.Source.Repository))
	line("commit", "%s (chosen by the %s)", f.Source.Commit, f.Source.ChosenBy)
	who := string(p.recipe.ChosenBy)
	if f.Recipe != nil && f.Recipe.Place != "" {
		who += ", " + fault.Quote(f.Recipe.Place)
	}
	line("recipe", "chosen by the %s, sha256 %s", who, p.recipe.Recipe.Digest)
	b.WriteString("\n")
	for _, l := range p.recipe.Lines {
		text := strings.TrimRight(l.Text, "\n")
		if !fault.Plain(strings.ReplaceAll(text, "\t", " ")) {
			text = fault.Quote(text)
		}
		by := ""
		if l.ChosenBy != "" {
			by = "# " + string(l.ChosenBy)
			if l.Why != "" {
				by += ": " + printable(l.Why)
			}
		}
		fmt.Fprintf(&b, "  | %-50s %s\n", text, by)
	}
	if i := p.recipe.Inferred; i != nil {
		for _, u := range i.Unknown {
			line("unknown", "%s", printable(u))
		}
		for _, u := range i.Refused {
			line("refused", "%s", printable(u))
		}
		for _, u := range i.Contradictions {
			line("contradicts", "%s", printable(u))
		}
	}
	b.WriteString("\nWould be done:\n")
	for _, s := range p.work.Steps {
		fmt.Fprintf(&b, "  %s\n", printable(s))
	}
	fmt.Fprintf(&b, "\nTo expect: %s\n", p.work.Cost)
	return []byte(b.String())
}

func printable(s string) string {
	if fault.Plain(s) {
		return s
	}
	return fault.Quote(s)
}
