package verdict

import (
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// BuildVerdict judges a build alone, for whoever is going to sign for it. It is no result of a verification: nothing that
// was shipped was looked at. The zero value is not sound.
type BuildVerdict struct {
	Sound      bool      `json:"sound"`
	Checks     []Check   `json:"checks"`
	Exceptions []string  `json:"exceptions,omitempty"`
	Policy     PolicyRef `json:"policy"`
}

// buildCatalogue is every check of the catalogue that is about where the build came from and how it went.
var buildCatalogue = pick(CheckObjects, CheckReachable, CheckTree, CheckRecipe, CheckBuilder, CheckVouched, CheckFetched, CheckVendored, CheckIsolation,
	CheckSteps, CheckReproducible, CheckCopied, CheckAccount, CheckGit)

func pick(ids ...string) []entry {
	var list []entry
	for _, e := range catalogue {
		for _, id := range ids {
			if e.id == id {
				list = append(list, e)
			}
		}
	}
	return list
}

// DecideBuild judges the facts of a build by what the policy demands of it. It walks the same checks as Decide, in the
// same way: what Decide would not pass is not sound here.
func DecideBuild(f Facts, p *policy.Policy) BuildVerdict {
	v := BuildVerdict{}
	if p == nil || p.SHA256 == "" {
		return v
	}
	v.Policy = PolicyRef{Name: p.Name, SHA256: p.SHA256}
	v.Exceptions = exceptions(f, p)
	for _, e := range buildCatalogue {
		v.Checks = append(v.Checks, judge(buildCatalogue, e, f, p))
	}
	v.Sound = worst(v.Checks, buildCatalogue) == Passed && f.Rebuild != nil && !f.Rebuild.Cached && !f.Rebuild.Packed
	return v
}

// Refusal says why the build is not sound, nil where it is.
func (v BuildVerdict) Refusal() error {
	if v.Sound && len(v.Checks) == len(buildCatalogue) {
		return nil
	}
	worstOf := Check{Status: StatusInconclusive, Text: "the build came from the cache or was not judged"}
	found := 0
	for _, c := range v.Checks {
		if r := rank(c.Status); r > found {
			found, worstOf = r, c
		}
	}
	err := fault.Inconclusivef("build", "not signed: %s", worstOf.Text)
	if worstOf.Status == StatusFailed {
		err = fault.Failf("build", "not signed: %s", worstOf.Text)
	}
	if worstOf.Hint != "" {
		err = err.WithHint("%s", worstOf.Hint)
	}
	return err.WithCheck(worstOf.ID)
}
