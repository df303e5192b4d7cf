package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/policy"
)

// Demands says whether what a policy demands of the source holds. It is a type of its own, with words of its own, so that
// nobody takes it for the result of a verification: nothing was rebuilt and nothing that was shipped was looked at. The
// zero value is not known and counts as broken.
type Demands string

// The values of Demands.
const (
	DemandsHold      Demands = "hold"
	DemandsBroken    Demands = "broken"
	DemandsUndecided Demands = "undecided"
)

// SourceVerdict judges a commit alone, by those checks of the catalogue that are about the source.
type SourceVerdict struct {
	Demands    Demands   `json:"source-demands"`
	Summary    string    `json:"summary"`
	Checks     []Check   `json:"checks"`
	Exceptions []string  `json:"exceptions,omitempty"`
	Policy     PolicyRef `json:"policy"`
}

// sourceCatalogue is every check of the source.* family, and the one that catches what belongs to none of them.
var sourceCatalogue = append(family("source."), entry{checkComplete, "the commit could be read", sourceComplete})

func family(prefix string) []entry {
	var list []entry
	for _, e := range catalogue {
		if strings.HasPrefix(e.id, prefix) {
			list = append(list, e)
		}
	}
	return list
}

func sourceComplete(f Facts, _ *policy.Policy) Check {
	if f.Source == nil || f.Source.Commit == "" || f.Source.TreeSHA256 == "" {
		return notReached("end of the commit's tree")
	}
	return reported("the whole tree was read; nothing was built or compared")
}

// DecideSource judges the facts of a commit by what the policy demands of the source. It walks the same checks as Decide,
// in the same way; it can never say that anything passed.
func DecideSource(f Facts, p *policy.Policy) SourceVerdict {
	v := SourceVerdict{Demands: DemandsBroken}
	if p == nil || p.SHA256 == "" {
		v.Summary = "no policy: nothing can be demanded"
		return v
	}
	f = Facts{Source: f.Source, Problems: f.Problems} // nothing else speaks about a commit
	v.Policy = PolicyRef{Name: p.Name, SHA256: p.SHA256}
	v.Exceptions = exceptions(f, p)
	for _, e := range sourceCatalogue {
		v.Checks = append(v.Checks, judge(sourceCatalogue, e, f, p))
	}
	switch worst(v.Checks, sourceCatalogue) {
	case Passed:
		v.Demands = DemandsHold
	case Inconclusive:
		v.Demands = DemandsUndecided
	}
	v.Summary = v.summary(f)
	return v
}

// ExitCode returns 0 only where the demands hold and every check was judged.
func (v SourceVerdict) ExitCode() int {
	switch {
	case v.Demands == DemandsHold && len(v.Checks) == len(sourceCatalogue):
		return ExitPassed
	case v.Demands == DemandsUndecided:
		return ExitInconclusive
	}
	return ExitFailed
}

func (v SourceVerdict) summary(f Facts) string {
	if v.Demands == DemandsHold {
		return fmt.Sprintf("commit %s is what the policy demands of the source; nothing was built or compared", commit(f))
	}
	for _, want := range []Status{StatusFailed, StatusInconclusive, StatusNotReached} {
		if i := slices.IndexFunc(v.Checks, func(c Check) bool { return c.Status == want }); i >= 0 {
			return v.Checks[i].Text
		}
	}
	return "nothing was judged"
}

// SourceReport is what is known of a commit without building it.
type SourceReport struct {
	Format    int            `json:"format"`
	Tool      Tool           `json:"tool"`
	Commit    *CommitInfo    `json:"commit,omitempty"`
	Source    *Source        `json:"source,omitempty"`
	Notes     []string       `json:"notes,omitempty"` // what could not be found out
	Problems  []Problem      `json:"problems,omitempty"`
	Judgement *SourceVerdict `json:"judgement,omitempty"` // only with a policy
}

// CommitInfo is what a commit says of itself. Nobody has checked it.
type CommitInfo struct {
	ObjectFormat string   `json:"object-format"`
	Parents      []string `json:"parents"`
	Author       Person   `json:"author"`
	Committer    Person   `json:"committer"`
	Subject      string   `json:"subject"` // first line of the message
}

// Person is a name in a commit.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Time  int64  `json:"time"` // seconds since the epoch
}

// ExitCode returns the code of the judgement where there is one; without a policy 0 says only that everything could be read.
func (r SourceReport) ExitCode() int {
	if r.Judgement != nil {
		return r.Judgement.ExitCode()
	}
	code := ExitPassed
	if r.Source == nil || r.Source.TreeSHA256 == "" {
		code = ExitInconclusive
	}
	for _, p := range r.Problems {
		if p.Class != "inconclusive" {
			return ExitFailed
		}
		code = ExitInconclusive
	}
	return code
}
