package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// statusWords are what an explanation calls a status: it explains what somebody else's file says and judges nothing.
var statusWords = map[verdict.Status]string{verdict.StatusPassed: "holds", verdict.StatusFailed: "broken", verdict.StatusInconclusive: "undecided",
	verdict.StatusReported: "told", verdict.StatusNotReached: "not reached"}

// ExplainPolicy tells, for every check of a verdict, which lines of a policy decide it, and what the policy would make of
// the facts that the verdict claims.
func ExplainPolicy(policyFile, verdictFile string, now time.Time) ([]byte, error) {
	p, err := policy.Load(policyFile, now)
	if err != nil {
		return nil, err
	}
	v, err := ReadVerdict(verdictFile)
	if err != nil {
		return nil, err
	}
	facts := v.Facts
	facts.Now = now
	again := verdict.Decide(facts, p)
	var b strings.Builder
	fmt.Fprintf(&b, "NOTHING BELOW WAS CHECKED: it is what this policy makes of what %s says.\n\n", fault.Quote(verdictFile))
	if v.Policy.SHA256 != p.SHA256 {
		fmt.Fprintf(&b, "The verdict was given by another policy, sha256:%s.\n\n", fault.Quote(v.Policy.SHA256))
	}
	for _, c := range again.Checks {
		fmt.Fprintf(&b, "%-11s %-24s %s\n", statusWords[c.Status], c.ID, printable(c.Text))
		if was := v.Check(c.ID); was.ID != "" && was.Status != c.Status {
			fmt.Fprintf(&b, "%-11s %-24s the verdict says: %s\n", "", "", printable(statusWords[was.Status]))
		}
		for _, line := range decidedBy(p, c.ID) {
			fmt.Fprintf(&b, "%-11s %-24s %s\n", "", "", line)
		}
	}
	return []byte(b.String()), nil
}

// decidedBy names the lines of a policy that decide a check.
func decidedBy(p *policy.Policy, id string) []string {
	keys := verdict.PolicyKeys(id)
	if len(keys) == 0 {
		return []string{"decided by the program: no policy changes it"}
	}
	var out []string
	for _, key := range keys {
		if at, ok := p.At(key); ok {
			out = append(out, "decided by "+at+" "+key)
		}
	}
	if len(out) == 0 {
		return []string{"decided by the default of " + strings.Join(keys, ", ") + ": the policy says nothing"}
	}
	return out
}
