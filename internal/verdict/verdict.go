// Package verdict decides. Decide is pure: the same facts and the same policy give the same verdict, byte for byte, and
// it is the only place in the program where a pass comes from.
//
// A verdict is a list of checks. Every check of the catalogue stands in every verdict; one that was not reached says so and
// never counts as passed. failed outranks inconclusive outranks passed. The zero Verdict is failed.
package verdict

import "github.com/glassbuild/glassbuild/internal/policy"

// Result is the first of the two words.
type Result string

// The results and their exit codes, see ExitCode.
const (
	Passed       Result = "passed"
	Failed       Result = "failed"
	Inconclusive Result = "inconclusive"
)

// Match is the second word: what the comparison showed.
type Match string

// The matches.
const (
	MatchIdentical  Match = "identical"
	MatchEquivalent Match = "equivalent"
	MatchPartial    Match = "partial"
	MatchDifferent  Match = "different"
	MatchNotRebuilt Match = "not-rebuilt"
)

// Status of one check.
type Status string

// The statuses. Only StatusPassed and StatusReported let a verdict pass.
const (
	StatusPassed       Status = "passed"
	StatusFailed       Status = "failed"
	StatusInconclusive Status = "inconclusive"
	StatusReported     Status = "reported"    // looked at, but the policy does not demand it
	StatusNotReached   Status = "not-reached" // an earlier step ended the run
)

// Check is one link of the chain.
type Check struct {
	ID       string   `json:"id"`
	Status   Status   `json:"status"`
	Text     string   `json:"text"` // one line for people, names quoted
	Hint     string   `json:"hint,omitempty"`
	Evidence []string `json:"evidence,omitempty"` // digests, as "sha256:…" or "gitCommit:…"
}

// Verdict is the answer.
type Verdict struct {
	Format     int       `json:"format"`
	Result     Result    `json:"result"`
	Match      Match     `json:"match"`
	Summary    string    `json:"summary"`
	Unsignable []string  `json:"unsignable,omitempty"` // why this verdict cannot be signed
	Checks     []Check   `json:"checks"`
	Exceptions []string  `json:"exceptions,omitempty"` // what the policy forgave, with its reasons
	Policy     PolicyRef `json:"policy"`
	Facts

	Commitments *Commitments `json:"commitments,omitempty"` // of a verdict that was sealed in order to be signed
}

// Commitments bind everything else in a verdict, so that names and texts can be left out of it, and be opened again, without
// making another verdict of it; see package redact.
type Commitments struct {
	Root   string            `json:"root"`             // what is signed
	Seed   string            `json:"seed,omitempty"`   // of all salts; only in a whole verdict
	Salts  map[string]string `json:"salts,omitempty"`  // in a redacted one: of what is still shown, by JSON Pointer
	Hidden map[string]string `json:"hidden,omitempty"` // in a redacted one: commitments to what is not
}

// PolicyRef names the policy that was applied.
type PolicyRef struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Exit codes, see docs/exit-codes.md. 2 is left to crashes of the Go run time.
const (
	ExitPassed       = 0
	ExitFailed       = 1
	ExitInconclusive = 3
	ExitUsage        = 4
	ExitInterrupted  = 130
)

// ExitCode returns the exit code of the verdict. Anything unknown is a failure.
func (v Verdict) ExitCode() int {
	switch {
	case v.Result == Passed && len(v.Checks) > 0 && len(v.Checks) == len(catalogueOf(v.Scope)):
		return ExitPassed
	case v.Result == Inconclusive:
		return ExitInconclusive
	}
	return ExitFailed
}

// Check returns the check of that id, or a zero one.
func (v Verdict) Check(id string) Check {
	for _, c := range v.Checks {
		if c.ID == id {
			return c
		}
	}
	return Check{}
}

// Decide judges the facts by the policy.
func Decide(f Facts, p *policy.Policy) Verdict {
	v := Verdict{Format: 1, Result: Failed, Match: matchOf(f, p), Facts: f}
	if p == nil || p.SHA256 == "" { // a policy that was not read demands nothing
		v.Summary = "no policy: nothing can be demanded, nothing is verified"
		return v
	}
	v.Policy = PolicyRef{Name: p.Name, SHA256: p.SHA256}
	v.Exceptions = exceptions(f, p)
	list := catalogueOf(f.Scope)
	for _, e := range list {
		v.Checks = append(v.Checks, judge(list, e, f, p))
	}
	v.Result = worst(v.Checks, list)
	v.Unsignable = unsignable(v, f)
	v.Summary = summary(v)
	return v
}

// judge runs one check of list. A problem that a step reported for it overrides what the facts say, unless they are worse.
func judge(list []entry, e entry, f Facts, p *policy.Policy) Check {
	c := e.check(f, p)
	c.ID = e.id
	for _, pr := range f.Problems {
		if pr.Check != e.id && !(e.id == checkComplete && !known(list, pr.Check)) {
			continue
		}
		st := StatusFailed
		if pr.Class == "inconclusive" {
			st = StatusInconclusive
		}
		if rank(st) > rank(c.Status) || c.Status == StatusNotReached {
			c.Status, c.Text, c.Hint = st, pr.Text, pr.Hint
		}
	}
	if c.Status == "" {
		c.Status = StatusFailed
	}
	return c
}

// rank orders statuses from harmless to bad; an unknown one is as bad as can be.
func rank(s Status) int {
	switch s {
	case StatusPassed, StatusReported:
		return 0
	case StatusNotReached:
		return 1
	case StatusInconclusive:
		return 2
	}
	return 3
}

// worst gives the result: passed only if there are checks and every one of them is passed or merely reported.
func worst(checks []Check, list []entry) Result {
	if len(checks) != len(list) || len(checks) == 0 {
		return Failed
	}
	top, passed := 0, 0
	for _, c := range checks {
		top = max(top, rank(c.Status))
		if c.Status == StatusPassed {
			passed++
		}
	}
	switch {
	case top == 0 && passed > 0:
		return Passed
	case top <= 2 && top > 0:
		return Inconclusive
	}
	return Failed
}

func unsignable(v Verdict, f Facts) []string {
	var why []string
	if f.Scope == ScopeCheck {
		why = append(why, "nothing was rebuilt")
	}
	if f.Scope == ScopeRelease {
		why = append(why, "it is about many files; a signature is about one")
	}
	if v.Result == Inconclusive {
		why = append(why, "the result is inconclusive")
	}
	if f.Source != nil && f.Source.ChosenBy == ByArtefact {
		why = append(why, "the commit was chosen by the artefact; name it with --commit")
	}
	if f.Rebuild != nil && f.Rebuild.Cached {
		why = append(why, "the rebuild came from the cache; rebuild with --no-cache")
	}
	return why
}
