package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// inputsAccount closes F11 and F19: what was read is named, nobody's word is taken for it, and a file that no person can
// read does not get into a build unseen, which is how the backdoor of xz 5.6.0 did.
func inputsAccount(f Facts, p *policy.Policy) Check {
	if f.Rebuild == nil {
		return notReached("account of inputs")
	}
	a := f.Rebuild.Account
	if a == nil {
		return unproved(p, "nothing was written down")
	}
	for _, o := range a.Opaque {
		if p.Source.ReadOpaque == "report" || listed(p, o) {
			continue
		}
		return failed("the build read %s: opaque (%s), not listed in the policy", fault.Quote(o.Path), o.Kind).
			hint("look at it; [[source.opaque]] lists it by path and sha256 %s", o.SHA256)
	}
	if !a.Proved {
		return unproved(p, orElse(a.Why, "nobody says why"))
	}
	for _, l := range a.Layers {
		if l.Read && l.Digest == "" {
			return inconclusive("the build read files that nothing pins: %s", fault.Quote(l.Name))
		}
	}
	return passed("%s", accountText(a))
}

// unproved is inconclusive unless the policy is content to be told.
func unproved(p *policy.Policy, why string) Check {
	if p.Rebuild.Account == "report" {
		return reported("not proved: %s", why)
	}
	return inconclusive("not proved: %s", why).
		hint("what the build read beside the files in the record is not known; [rebuild] account = \"report\" in a policy accepts that")
}

// accountText says how much of everything was read (F19).
func accountText(a *Account) string {
	text := fmt.Sprintf("%d of %d files of the source were read, %d of them opaque, %d generated, %d vendored", len(a.Source), a.Of, len(a.Opaque), a.Generated, a.Vendored)
	if a.FetchedOf > 0 {
		text += fmt.Sprintf("; %d of %d fetched files", len(a.Fetched), a.FetchedOf)
	}
	return text + "; a run with nothing else gave the same bytes"
}

// listed tells whether the policy knows an opaque file.
func listed(p *policy.Policy, o Opaque) bool {
	return slices.ContainsFunc(p.Source.Opaque, func(k policy.Opaque) bool { return k.Path == o.Path && k.SHA256 == o.SHA256 })
}

// refusedText names the first attempts to reach a network.
func refusedText(list []string) string {
	const shown = 3
	text := strings.Join(list[:min(shown, len(list))], "; ")
	if more := len(list) - shown; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
