package verdict_test

import (
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// sourceFacts are facts of a commit that the built-in policy is content with.
func sourceFacts() verdict.Facts { return verdict.Facts{Source: good().Source} }

func TestSourceDemandsNeedEveryFact(t *testing.T) {
	t.Parallel()
	if v := verdict.DecideSource(sourceFacts(), policy.Default()); v.Demands != verdict.DemandsHold || v.ExitCode() != 0 {
		t.Fatalf("%s: %s", v.Demands, v.Summary)
	}
	var zero verdict.SourceVerdict
	forged := verdict.SourceVerdict{Demands: verdict.DemandsHold}
	for name, code := range map[string]int{
		"the zero value":    zero.ExitCode(),
		"one without check": forged.ExitCode(),
		"no facts":          verdict.DecideSource(verdict.Facts{}, policy.Default()).ExitCode(),
		"no policy":         verdict.DecideSource(sourceFacts(), nil).ExitCode(),
		"an empty policy":   verdict.DecideSource(sourceFacts(), &policy.Policy{}).ExitCode(),
		"no report":         verdict.SourceReport{}.ExitCode(),
	} {
		if code == 0 {
			t.Errorf("%s gives 0", name)
		}
	}
	for name, change := range map[string]func(*verdict.Source){
		"no commit":      func(s *verdict.Source) { s.Commit = "" },
		"no tree":        func(s *verdict.Source) { s.TreeSHA256 = "" },
		"unreachable":    func(s *verdict.Source) { s.Refs = nil },
		"not looked at":  func(s *verdict.Source) { s.Signature.Status = "" },
		"no export mode": func(s *verdict.Source) { s.Attributes = "" },
	} {
		f := sourceFacts()
		s := *f.Source
		change(&s)
		f.Source = &s
		if v := verdict.DecideSource(f, policy.Default()); v.ExitCode() == 0 {
			t.Errorf("%s: %s", name, v.Demands)
		}
	}
}

// TestOddTrees: what is another tree elsewhere is reported, and refused where the policy says so.
func TestOddTrees(t *testing.T) {
	t.Parallel()
	for kind, refuse := range map[string]func(p *policy.Policy){
		"escaping-link":   func(p *policy.Policy) { p.Source.Links = "fail" },
		"colliding-names": func(p *policy.Policy) { p.Source.Colliding = "fail" },
		"foreign-name":    nil, // only told
	} {
		f := good()
		s := *f.Source
		s.Findings = []verdict.Finding{{Kind: kind, Path: "a\x1b", Text: "odd"}}
		f.Source = &s
		p := policy.Default()
		if v := verdict.Decide(f, p); v.Result != verdict.Passed || !strings.Contains(v.Check(verdict.CheckTree).Text, "1 findings") {
			t.Errorf("%s: %s, %+v", kind, v.Summary, v.Check(verdict.CheckTree))
		}
		if refuse == nil {
			continue
		}
		refuse(p)
		v := verdict.Decide(f, p)
		if c := v.Check(verdict.CheckTree); v.Result != verdict.Failed || c.Text != `"a\x1b": odd` || !strings.Contains(c.Hint, "[source]") {
			t.Errorf("%s refused: %s, %+v", kind, v.Result, c)
		}
	}
}

// TestSourceDemandsHearEveryProblem: a problem of any check, also of one that is not about the source, breaks them.
func TestSourceDemandsHearEveryProblem(t *testing.T) {
	t.Parallel()
	for _, id := range append(verdict.IDs(), "", "no.such") {
		for class, want := range map[string]verdict.Demands{"failed": verdict.DemandsBroken, "inconclusive": verdict.DemandsUndecided, "": verdict.DemandsBroken} {
			f := sourceFacts()
			f.Problems = []verdict.Problem{{Check: id, Class: class, Text: "t"}}
			if v := verdict.DecideSource(f, policy.Default()); v.Demands != want {
				t.Errorf("problem %q/%q: %s, want %s", id, class, v.Demands, want)
			}
		}
	}
}

func TestRangesThatSayTooLittle(t *testing.T) {
	t.Parallel()
	since := strings.Repeat("3", 40)
	signed := verdict.Commits{Signature: verdict.Signature{Status: "unsigned"}, Count: 2, Newest: []string{strings.Repeat("4", 40)}}
	for name, tc := range map[string]struct {
		r    *verdict.Range
		want verdict.Status
		text string
	}{
		"not walked":     {nil, verdict.StatusNotReached, "not reached"},
		"another range":  {&verdict.Range{Since: strings.Repeat("5", 40), Commits: 2, By: []verdict.Commits{signed}}, verdict.StatusFailed, "the policy demands it since"},
		"some not seen":  {&verdict.Range{Since: since, Commits: 3, By: []verdict.Commits{signed}}, verdict.StatusFailed, "only 2 of them"},
		"negative count": {&verdict.Range{Since: since, Commits: 1, By: []verdict.Commits{signed, {Count: -1}}}, verdict.StatusFailed, "of them looked at"},
		"empty":          {&verdict.Range{Since: since}, verdict.StatusInconclusive, "no commits since"},
		"not demanded":   {&verdict.Range{Since: since, Commits: 2, By: []verdict.Commits{signed}}, verdict.StatusReported, "2 commits since 333333333333: 2 unsigned"},
	} {
		f, p := sourceFacts(), policy.Default()
		s := *f.Source
		s.Range, f.Source, p.Source.Since = tc.r, &s, since
		for _, c := range verdict.DecideSource(f, p).Checks {
			if c.ID == verdict.CheckRange && (c.Status != tc.want || !strings.Contains(c.Text, tc.text)) {
				t.Errorf("%s: %s %q", name, c.Status, c.Text)
			}
		}
	}
}

func TestPathRulesThatWereNotLookedAt(t *testing.T) {
	t.Parallel()
	f, p := sourceFacts(), policy.Default()
	p.Source.Paths = []policy.PathRule{{Match: "a", SignedBy: "x"}}
	if v := verdict.DecideSource(f, p); v.Demands != verdict.DemandsUndecided {
		t.Errorf("%s: %s", v.Demands, v.Summary)
	}
	s := *f.Source
	s.Paths = []verdict.PathTouch{{Match: "a", SignedBy: "y"}}
	f.Source = &s
	if v := verdict.DecideSource(f, p); v.Demands != verdict.DemandsUndecided {
		t.Errorf("a rule for somebody else: %s: %s", v.Demands, v.Summary)
	}
	s.Paths = []verdict.PathTouch{{Match: "a", SignedBy: "x", Commits: 1}}
	if v := verdict.DecideSource(f, p); v.Demands != verdict.DemandsBroken {
		t.Errorf("a commit that nobody looked at: %s: %s", v.Demands, v.Summary)
	}
}

func TestPublishedStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]verdict.Status{
		"verified": verdict.StatusPassed, "mismatch": verdict.StatusFailed, "unknown": verdict.StatusReported, "private": verdict.StatusReported,
		"": verdict.StatusInconclusive, "good": verdict.StatusInconclusive,
	} {
		f := good()
		f.Published = &verdict.Module{Path: "example.org/m", Version: "v1.0.0", Status: status}
		v := verdict.Decide(f, policy.Default())
		if c := v.Check(verdict.CheckPublished); c.Status != want || (v.ExitCode() == 0) != (want == verdict.StatusPassed || want == verdict.StatusReported) {
			t.Errorf("%q: %s, exit code %d", status, c.Status, v.ExitCode())
		}
	}
}
