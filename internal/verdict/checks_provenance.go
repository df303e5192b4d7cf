package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// NotDemanded is the text of a check about evidence of which the policy demands nothing.
const NotDemanded = "not demanded by the policy"

// evidenceFound says whether there was anything to judge. Evidence that matches nothing is not evidence.
func evidenceFound(f Facts, p *policy.Policy) Check {
	if p.Provenance == nil && p.Quorum == nil {
		return reported(NotDemanded)
	}
	pieces, elsewhere, held := 0, 0, 0
	for _, part := range []struct {
		on bool
		e  *Evidence
	}{{p.Provenance != nil, f.Provenance}, {p.Quorum != nil, f.Votes}} {
		switch {
		case part.on && part.e == nil:
			return notReached("evidence")
		case part.on:
			pieces, elsewhere, held = max(pieces, part.e.Pieces), max(elsewhere, part.e.Elsewhere), held+len(part.e.Statements)
		}
	}
	switch {
	case pieces == 0 && elsewhere > 0:
		return failed("bound to another artefact: none of %s speaks of this one", count(elsewhere, "statement")).hint(noEvidenceHint)
	case pieces == 0:
		return failed("there is none: nothing signed was found").hint(noEvidenceHint)
	case held == 0:
		return reported("%s, none holds", count(pieces, "piece"))
	}
	return passed("%s, %d verified", count(pieces, "piece"), held)
}

const noEvidenceHint = "name it with --evidence; beside a file NAME it is looked for as *.sigstore.json, *.intoto.jsonl and NAME.bundle"

// stage is one group of demands that a statement must meet.
type stage struct {
	id     string
	unmet  func(s *Statement, f Facts, d *policy.Provenance) string // "" where it is met
	demand func(d *policy.Provenance) bool
}

var stages = []stage{
	{CheckSigned, unusable, func(*policy.Provenance) bool { return true }},
	{CheckSource, unmetClaims(0, 3), demandsClaims(0, 3)},
	{CheckBuild, unmetClaims(3, 7), demandsClaims(3, 7)},
	{CheckFields, unmetFields, func(d *policy.Provenance) bool { return len(d.Fields) > 0 }},
	{CheckName, unmetName, func(d *policy.Provenance) bool { return d.SameName }},
}

// provenanceStage judges one stage. Those who signed what meets this stage and all before it must satisfy signed-by: a
// statement that meets one demand never lends it to another statement.
func provenanceStage(id string) func(Facts, *policy.Policy) Check {
	return func(f Facts, p *policy.Policy) Check {
		d := p.Provenance
		switch {
		case d == nil:
			return reported(NotDemanded)
		case f.Provenance == nil:
			return notReached("signed statements")
		}
		left := f.Provenance.Statements
		for _, st := range stages {
			var kept []Statement
			why := ""
			for _, s := range left {
				if unmet := st.unmet(&s, f, d); unmet == "" {
					kept = append(kept, s)
				} else if why == "" {
					why = unmet
				}
			}
			ok, count := p.Trust.Satisfied(d.SignedBy, signersOf(kept))
			switch {
			case !ok && st.id == id:
				return unsatisfiedStage(st, f, why, count)
			case !ok:
				return notReached("statements that met what is demanded before")
			case st.id == id:
				return metStage(st, f, d, kept, count)
			}
			left = kept
		}
		return failed("unknown stage")
	}
}

func signersOf(list []Statement) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.principals()...)
	}
	return out
}

func unsatisfiedStage(st stage, f Facts, why, satisfied string) Check {
	e := f.Provenance
	switch {
	case why != "" && st.id == CheckName && f.Subject.unnamed():
		return inconclusive("%s", why)
	case why != "":
		return failed("%s", why)
	case len(e.Statements) == 0 && len(e.Refused) > 0:
		r := e.Refused[0]
		if n := len(e.Refused) - 1; n > 0 {
			return failed("%s; %d more do not hold", r.Reason, n).with("sha256", r.SHA256).hint("%s", r.Hint)
		}
		return failed("%s", r.Reason).with("sha256", r.SHA256).hint("%s", r.Hint)
	case len(e.Statements) == 0:
		return failed("nothing was verified")
	case len(e.Refused) > 0:
		return failed("%s; %s", satisfied, e.Refused[0].Reason)
	}
	return failed("%s", satisfied)
}

func metStage(st stage, f Facts, d *policy.Provenance, kept []Statement, satisfied string) Check {
	s := &kept[0]
	switch {
	case st.id == CheckSigned:
		text := satisfied
		if g := s.Signers[0]; g.Identity != "" {
			text += fmt.Sprintf(" (%s, on the word of %s)", fault.Quote(g.Identity), fault.Quote(orElse(g.Issuer, "the authority that the policy names")))
		}
		if s.Time != 0 {
			text += ", at " + time.Unix(s.Time, 0).UTC().Format(time.RFC3339)
		}
		if len(s.Logs) > 0 {
			text += ", in log " + fault.Quote(strings.Join(s.Logs, ", "))
		}
		return passed("%s", text).with("sha256", s.SHA256)
	case st.id == CheckName:
		return nameCheck(f, d, kept)
	case !st.demand(d):
		return reported("%s", orElse(describeClaims(st.id, s), NotDemanded))
	}
	return passed("%s", orElse(describeClaims(st.id, s), "as demanded")).with("sha256", s.SHA256)
}

// describeClaims tells what a statement says, for a reader.
func describeClaims(id string, s *Statement) string {
	from, to := 0, 3
	switch id {
	case CheckBuild:
		from, to = 3, 7
	case CheckFields:
		return fieldsText(s)
	}
	var parts []string
	for _, c := range (&policy.Provenance{}).Demands()[from:to] {
		if v := s.Says[c.Name]; v != "" {
			parts = append(parts, c.Name+" "+fault.Quote(v))
		}
	}
	return strings.Join(parts, ", ")
}

func fieldsText(s *Statement) string {
	if len(s.Fields) == 0 {
		return ""
	}
	return count(len(s.Fields), "field") + " as demanded"
}

// unusable tells why a statement counts for nothing: taken back, or itself saying that something failed.
func unusable(s *Statement, _ Facts, d *policy.Provenance) string {
	switch {
	case !slices.Contains(d.Types, s.Type):
		return fmt.Sprintf("predicate is %s, want %s", fault.Quote(s.Type), fault.Quote(strings.Join(d.Types, ", ")))
	case s.Withdrawn != "":
		return fmt.Sprintf("%s was withdrawn by its signer: %s", fault.Quote(s.Name), fault.Quote(s.Withdrawn))
	case s.Says["result"] != "" && s.Says["result"] != "PASSED":
		return fmt.Sprintf("%s says %s", fault.Quote(s.Name), fault.Quote(s.Says["result"]))
	}
	return ""
}

func demandsClaims(from, to int) func(*policy.Provenance) bool {
	return func(d *policy.Provenance) bool {
		return slices.ContainsFunc(d.Demands()[from:to], func(c struct{ Name, Want string }) bool { return c.Want != "" })
	}
}

// unmetClaims holds what a statement says of its build against what is demanded, exactly.
func unmetClaims(from, to int) func(*Statement, Facts, *policy.Provenance) string {
	return func(s *Statement, _ Facts, d *policy.Provenance) string {
		for _, c := range d.Demands()[from:to] {
			said := s.Says[c.Name]
			want := c.Want
			switch {
			case want == "":
				continue
			case s.Conflicts[c.Name] != "":
				return s.Conflicts[c.Name]
			case said == "":
				return fmt.Sprintf("%s: not in signed statement", c.Name)
			case c.Name == "ref" && d.RefFits(said):
				continue
			case c.Name == "repository":
				want = plainRepository(want)
			}
			if said != want {
				return fmt.Sprintf("bound to other %s: %s, want %s", c.Name, fault.Quote(said), fault.Quote(want))
			}
		}
		return ""
	}
}

// plainRepository drops what writes the same repository in another way, as reading statements does.
func plainRepository(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(s, "git+"), "/"), ".git")
}

func unmetFields(s *Statement, _ Facts, d *policy.Provenance) string {
	addresses := make([]string, 0, len(d.Fields))
	for a := range d.Fields {
		addresses = append(addresses, a)
	}
	slices.Sort(addresses)
	for _, a := range addresses {
		got, ok := s.Fields[a]
		switch {
		case !ok:
			return fmt.Sprintf("%s: not in signed statement", fault.Quote(a))
		case got != d.Fields[a]:
			return fmt.Sprintf("%s is %s, want %s", fault.Quote(a), fault.Quote(got), fault.Quote(d.Fields[a]))
		}
	}
	return ""
}

// unmetName: a digest is signed as that of something, and what it was signed as may matter.
func unmetName(s *Statement, f Facts, d *policy.Provenance) string {
	switch {
	case !d.SameName:
		return ""
	case f.Subject.unnamed():
		return "only a digest is at hand: there is no name to hold against the statement"
	case s.Type == policy.TypeMessage:
		return "subject name: not in signed statement"
	case s.Subject != f.Subject.Name:
		return fmt.Sprintf("subject name differs: %s, want %s", fault.Quote(s.Subject), fault.Quote(f.Subject.Name))
	}
	return ""
}

func nameCheck(f Facts, d *policy.Provenance, kept []Statement) Check {
	if d.SameName {
		return passed("signed as %s", fault.Quote(f.Subject.Name))
	}
	for _, s := range kept {
		if s.Type != policy.TypeMessage && !f.Subject.unnamed() && s.Subject != f.Subject.Name {
			return reported("the statement calls it %s, here it is called %s (same-name in the policy demands one name)", fault.Quote(s.Subject), fault.Quote(f.Subject.Name))
		}
	}
	return reported(NotDemanded)
}

// contradiction: signed statements that hold, and say what cannot be true together.
func contradiction(f Facts, p *policy.Policy) Check {
	switch {
	case p.Provenance == nil && p.Quorum == nil:
		return reported(NotDemanded)
	case p.Provenance != nil && f.Provenance == nil || p.Quorum != nil && f.Votes == nil:
		return notReached("contradictions")
	}
	for _, e := range []*Evidence{f.Provenance, f.Votes} {
		if e != nil && len(e.Contradictions) > 0 {
			return failed("%s", strings.Join(e.Contradictions, "; "))
		}
	}
	switch d := f.Document; {
	case d == nil:
	case d.Refused != "":
		return failed("the verdict at hand does not hold: %s", d.Refused)
	case len(d.By) == 0:
		return failed("the verdict at hand is not what anybody signed whom the policy knows").hint("its signature is the verification summary that verify --sign wrote beside it; name it with --evidence")
	default:
		return passed("the verdict at hand, %s, is what %s signed; %d of %d entries are left out", d.Result, fault.Quote(strings.Join(d.By, ", ")), d.Redacted, d.Entries)
	}
	if f.Provenance != nil {
		for _, s := range f.Provenance.Statements {
			for _, c := range (&policy.Provenance{}).Demands() {
				if text := s.Conflicts[c.Name]; text != "" {
					return reported("%s: %s (the policy demands no %s)", fault.Quote(s.Name), text, c.Name)
				}
			}
		}
	}
	return passed("what was signed does not contradict itself or the artefact")
}
