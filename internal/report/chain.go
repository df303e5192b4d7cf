package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Hop is one link of the chain from the shipped file to the signer, with what was found out about it.
type Hop struct {
	Name   string // "shipped file", "commit", …
	What   string // what it is in this verdict; names quoted
	Digest string // "" where it was not reached
	Status verdict.Status
	Checks []verdict.Check // those that judge it
}

type hop struct {
	name   string
	checks []string
	what   func(verdict.Verdict) (what, digest string)
}

// hops are the links in their order, each with the checks that judge it: whole ids, or whole groups ending in a dot.
var hops = []hop{
	{"shipped file", []string{"artefact."}, hopShipped},
	{"rebuilt file", []string{verdict.CheckMatch, verdict.CheckForgiven, verdict.CheckCopied}, hopRebuilt},
	{"build", []string{"rebuild.", "sandbox."}, hopBuild},
	{"recipe", []string{"recipe."}, hopRecipe},
	{"builder", []string{"builder."}, hopBuilder},
	{"inputs", []string{"inputs."}, hopInputs},
	{"tree", []string{verdict.CheckObjects, verdict.CheckTree}, hopTree},
	{"commit", []string{verdict.CheckReachable, verdict.CheckMovedTags}, hopCommit},
	{"signer", []string{"source."}, hopSigner},
	{"evidence", []string{""}, hopEvidence},
	{"run", []string{"run."}, hopRun},
}

// Chain gives the links of the chain. Every check of the verdict stands in exactly one of them; a link that nothing was
// demanded of and nothing was found out about is left out.
func Chain(v verdict.Verdict) []Hop {
	list := make([]Hop, len(hops))
	for i, h := range hops {
		list[i] = Hop{Name: h.name, Status: verdict.StatusNotReached}
		list[i].What, list[i].Digest = h.what(v)
	}
	for _, c := range v.Checks {
		h := &list[hopOf(c.ID)]
		h.Checks = append(h.Checks, c)
		if len(h.Checks) == 1 || weight(c.Status) > weight(h.Status) {
			h.Status = c.Status
		}
	}
	kept := list[:0]
	for _, h := range list {
		if len(h.Checks) > 0 {
			kept = append(kept, h)
		}
	}
	return kept
}

// hopOf returns the link that a check belongs to: the one that names it, else the first that names its group.
func hopOf(id string) int {
	for i, h := range hops {
		if slices.Contains(h.checks, id) {
			return i
		}
	}
	group, _, _ := strings.Cut(id, ".")
	for i, h := range hops {
		if slices.Contains(h.checks, group+".") {
			return i
		}
	}
	return slices.IndexFunc(hops, func(h hop) bool { return slices.Contains(h.checks, "") })
}

// weight orders statuses by what they do to a link. A link of which one check was not reached is not whole, though one
// that was merely reported is.
func weight(s verdict.Status) int {
	switch s {
	case verdict.StatusReported:
		return 0
	case verdict.StatusPassed:
		return 1
	case verdict.StatusNotReached:
		return 2
	case verdict.StatusInconclusive:
		return 3
	}
	return 4
}

func hopShipped(v verdict.Verdict) (string, string) {
	name := fault.Quote(v.Subject.Name)
	if v.Subject.Member != "" {
		name = fault.Quote(v.Subject.Member) + " in " + name
	}
	return name, v.Subject.SHA256
}

func hopRebuilt(v verdict.Verdict) (string, string) {
	c := v.Comparison
	if c == nil {
		return "", ""
	}
	if len(c.Members) == 1 {
		m := c.Members[0]
		if m.Difference != nil {
			return fault.Quote(m.Output), m.Difference.Rebuilt.SHA256
		}
		return fault.Quote(m.Output), m.SHA256
	}
	return fmt.Sprintf("%d files, %d of them rebuilt bit for bit", len(c.Members), c.Counts[verdict.Identical]), ""
}

func hopBuild(v verdict.Verdict) (string, string) {
	r := v.Rebuild
	switch {
	case r == nil:
		return "", ""
	case r.Packed:
		return "packed by this program from the files of the commit", ""
	case r.Cached:
		return fmt.Sprintf("%d runs, taken from the cache", r.Runs), ""
	}
	return fmt.Sprintf("%d runs", r.Runs), ""
}

func hopRecipe(v verdict.Verdict) (string, string) {
	if v.Recipe == nil {
		return "", ""
	}
	return "chosen by the " + v.Recipe.ChosenBy, v.Recipe.SHA256
}

func hopBuilder(v verdict.Verdict) (string, string) {
	if v.Builder == nil {
		return "", ""
	}
	var parts []string
	for _, l := range v.Builder.Layers {
		parts = append(parts, fault.Quote(strings.TrimSpace(l.Name+" "+l.Version)))
	}
	return strings.Join(parts, ", "), v.Builder.SHA256
}

func hopInputs(v verdict.Verdict) (string, string) {
	if v.Inputs == nil {
		return "", ""
	}
	return fmt.Sprintf("%d fetched files", v.Inputs.Files), v.Inputs.SHA256
}

func hopTree(v verdict.Verdict) (string, string) {
	if v.Source == nil {
		return "", ""
	}
	return fmt.Sprintf("%d files", v.Source.Files), v.Source.TreeSHA256
}

func hopCommit(v verdict.Verdict) (string, string) {
	if v.Source == nil {
		return "", ""
	}
	return fault.Quote(v.Source.Repository), v.Source.Commit
}

func hopSigner(v verdict.Verdict) (string, string) {
	if v.Source == nil {
		return "", ""
	}
	s := v.Source.Signature
	who := s.Signer
	if who == "" {
		who = s.Key
	}
	if who == "" {
		return s.Status, ""
	}
	return fault.Quote(who) + " (" + s.Status + ")", ""
}

func hopEvidence(v verdict.Verdict) (string, string) {
	if v.Provenance == nil && v.Votes == nil {
		return "none was demanded", ""
	}
	n := 0
	for _, e := range []*verdict.Evidence{v.Provenance, v.Votes} {
		if e != nil {
			n += len(e.Statements)
		}
	}
	return fmt.Sprintf("%d signed statements", n), ""
}

func hopRun(v verdict.Verdict) (string, string) {
	return fault.Quote(v.Tool.Name + " " + v.Tool.Version), ""
}
