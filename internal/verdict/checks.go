package verdict

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

func passed(format string, args ...any) Check {
	return Check{Status: StatusPassed, Text: fmt.Sprintf(format, args...)}
}
func failed(format string, args ...any) Check {
	return Check{Status: StatusFailed, Text: fmt.Sprintf(format, args...)}
}
func inconclusive(format string, args ...any) Check {
	return Check{Status: StatusInconclusive, Text: fmt.Sprintf(format, args...)}
}
func reported(format string, args ...any) Check {
	return Check{Status: StatusReported, Text: fmt.Sprintf(format, args...)}
}
func notReached(what string) Check {
	return Check{Status: StatusNotReached, Text: what + ": not reached"}
}

func (c Check) hint(format string, args ...any) Check {
	c.Hint = fmt.Sprintf(format, args...)
	return c
}

// with adds evidence of one kind, leaving empty values out.
func (c Check) with(kind string, values ...string) Check {
	for _, v := range values {
		if v != "" {
			c.Evidence = append(c.Evidence, kind+":"+v)
		}
	}
	return c
}

func artefactRead(f Facts, _ *policy.Policy) Check {
	s := f.Subject
	if s.SHA256 == "" {
		return notReached("artefact")
	}
	name := fault.Quote(s.Name)
	if s.Member != "" {
		return passed("%s in %s, %s", fault.Quote(s.Member), name, size(s.Size)).with("sha256", s.SHA256, within(s))
	}
	if s.ByDigest {
		return passed("%s, by its digest alone", name).with("sha256", s.SHA256)
	}
	return passed("%s, %s", name, size(s.Size)).with("sha256", s.SHA256)
}

func within(s Subject) string {
	if s.Within == nil {
		return ""
	}
	return s.Within.SHA256
}

func sourceObjects(f Facts, _ *policy.Policy) Check {
	s := f.Source
	if s == nil || s.Commit == "" {
		return notReached("commit")
	}
	if s.TreeSHA256 == "" {
		return notReached("tree of commit " + short(s.Commit))
	}
	return passed("commit %s, %d files, %s", short(s.Commit), s.Files, size(s.Bytes)).
		with("gitCommit", s.Commit).with("gitTree", s.GitTree).with("sha256", s.TreeSHA256)
}

// sourceReachable closes F5: a forge serves commits of forks and of deleted branches by their id.
func sourceReachable(f Facts, p *policy.Policy) Check {
	s := f.Source
	switch {
	case s == nil || s.Commit == "":
		return notReached("branches and tags")
	case len(s.Refs) > 0:
		text := fault.Quote(s.Refs[0])
		if n := len(s.Refs) - 1; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		return passed("reached from %s", text)
	case p.Source.Unreachable != "":
		return reported("no branch or tag reaches the commit; accepted by the policy: %s", fault.Quote(p.Source.Unreachable))
	}
	return failed("no branch or tag of the repository reaches commit %s", short(s.Commit)).
		hint("ask the vendor which branch or tag was released from it; a forge also serves commits of forks and of deleted branches")
}

// sourceSignature counts principals, not signatures: who signed is judged by the auditor's own list.
func sourceSignature(f Facts, p *policy.Policy) Check {
	if f.Source == nil || f.Source.Commit == "" {
		return notReached("signature")
	}
	s, want := f.Source.Signature, p.Source.SignedBy
	switch {
	case s.Status == "":
		return inconclusive("the signature was not looked at: %s", orElse(s.Detail, "no status"))
	case want == "":
		return reported("commit %s (not demanded by the policy)", describeSignature(s))
	case s.Status != signedGood:
		return failed("commit %s; the policy demands %s", describeSignature(s), fault.Quote(want)).
			hint("the policy decides who counts: [[principal]] names keys and identities")
	}
	ok, why := p.Trust.Satisfied(want, []string{s.Signer})
	if !ok {
		return failed("commit %s; %s", describeSignature(s), why)
	}
	return passed("commit %s", describeSignature(s))
}

// signedGood is the only status of a signature that satisfies a demand.
const signedGood = "good"

// sourceTag looks for a tag at the commit that satisfies the policy.
func sourceTag(f Facts, p *policy.Policy) Check {
	if f.Source == nil || f.Source.Commit == "" {
		return notReached("tags")
	}
	want := p.Source.Tag
	if want == nil {
		if len(f.Source.Tags) == 0 {
			return reported("no tag at the commit (not demanded by the policy)")
		}
		t := f.Source.Tags[0]
		return reported("%s, %s (not demanded by the policy)", fault.Quote(t.Name), describeSignature(t.Signature))
	}
	reason := "no tag points at the commit"
	for _, t := range f.Source.Tags {
		if !nameFits(t.Name, want.Names) {
			reason = fmt.Sprintf("tag %s has none of the demanded names", fault.Quote(t.Name))
			continue
		}
		if want.SignedBy == "" {
			return passed("tag %s", fault.Quote(t.Name)).with("gitTag", t.Object)
		}
		if t.Signature.Status != signedGood {
			reason = fmt.Sprintf("tag %s %s", fault.Quote(t.Name), describeSignature(t.Signature))
			continue
		}
		ok, why := p.Trust.Satisfied(want.SignedBy, []string{t.Signature.Signer})
		if ok {
			return passed("tag %s %s", fault.Quote(t.Name), describeSignature(t.Signature)).with("gitTag", t.Object)
		}
		reason = fmt.Sprintf("tag %s: %s", fault.Quote(t.Name), why)
	}
	return failed("%s", reason).hint("the policy demands a tag at the commit; ask the vendor which one was released")
}

func nameFits(name string, patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

func describeSignature(s Signature) string {
	text := s.Status
	if s.Status == "unsigned" {
		return "is unsigned"
	}
	text = "signature " + text
	if s.Kind != "" {
		text += ", " + s.Kind
	}
	if s.Signer != "" {
		text += ", " + fault.Quote(s.Signer)
	}
	if s.Platform {
		text += " (a platform key: it proves the forge, not the author)"
	}
	if s.Key != "" {
		text += ", key " + fault.Quote(s.Key)
	}
	if s.Stamp != nil {
		text += fmt.Sprintf(", timestamp %s by %s", s.Stamp.At.UTC().Format(time.RFC3339), fault.Quote(s.Stamp.By))
		if s.Stamp.Principal == "" {
			text += ", who is not in the policy"
		}
	}
	if s.Status != signedGood && s.Detail != "" {
		text += ": " + fault.Quote(s.Detail)
	}
	return text
}

// sourceTree closes F12: a build of another tree than the one that was read.
func sourceTree(f Facts, p *policy.Policy) Check {
	s := f.Source
	if s == nil || s.TreeSHA256 == "" {
		return notReached("tree")
	}
	order := []string{"raw", "checkout", "archive"}
	if slices.Index(order, s.Attributes) < 0 {
		return failed("unknown export mode %s", fault.Quote(s.Attributes))
	}
	if s.Attributes != "raw" && s.Attributes != p.Source.Attributes {
		return failed("the recipe asks for attributes = %q, the policy allows %q", s.Attributes, p.Source.Attributes).
			hint("read the %d transformed files in the report; [source] attributes in the policy allows it", len(s.Transformed))
	}
	if c, bad := opaqueFiles(s, p); bad {
		return c
	}
	if c, bad := oddTree(s, p); bad {
		return c
	}
	var notes []string
	for _, n := range []struct {
		n    int
		text string
	}{{len(s.Transformed), "transformed"}, {len(s.Opaque), "opaque"}, {s.Generated, "generated"}, {s.Vendored, "vendored"}, {len(s.Findings), "findings"}} {
		if n.n > 0 {
			notes = append(notes, fmt.Sprintf("%d %s", n.n, n.text))
		}
	}
	if len(notes) == 0 {
		return passed("as the commit holds it; nothing opaque, generated or vendored").with("sha256", s.TreeSHA256)
	}
	return passed("as the commit holds it; %s", strings.Join(notes, ", ")).with("sha256", s.TreeSHA256)
}

// oddTree refuses, where the policy says so, a tree that is another one elsewhere: a link that leads out of it means whatever
// lies there, though nothing here follows it, and of two names that a file system takes for one only one is left
// (CVE-2021-21300). Honest trees have both, the Linux kernel's among them, so that by default they are only reported.
func oddTree(s *Source, p *policy.Policy) (Check, bool) {
	for _, n := range s.Findings {
		key, rule := "", ""
		switch n.Kind {
		case "escaping-link":
			key, rule = "escaping-links", p.Source.Links
		case "colliding-names":
			key, rule = "colliding-names", p.Source.Colliding
		}
		if rule == "fail" {
			return failed("%s: %s", fault.Quote(n.Path), n.Text).hint("[source] %s in the policy refuses it", key), true
		}
	}
	return Check{}, false
}

func opaqueFiles(s *Source, p *policy.Policy) (Check, bool) {
	if p.Source.OpaqueRule != "fail" {
		return Check{}, false
	}
	for _, o := range s.Opaque {
		if !listed(p, o) {
			return failed("%s: opaque (%s), not listed in the policy", fault.Quote(o.Path), o.Kind).
				hint("look at it; [[source.opaque]] lists it by path and sha256 %s", o.SHA256), true
		}
	}
	return Check{}, false
}

// recipeSettings closes F2: what the artefact says of itself decides nothing that is free text.
func recipeSettings(f Facts, p *policy.Policy) Check {
	r := f.Recipe
	if r == nil || r.SHA256 == "" {
		return notReached("recipe")
	}
	for _, text := range r.Refused {
		if !slices.ContainsFunc(p.Rebuild.Settings, func(s policy.Setting) bool { return s.Text == text }) {
			return inconclusive("the artefact asks for %s, which the commit does not explain", fault.Quote(text)).
				hint("ask the vendor for a recipe at the commit, or accept the setting word for word with [[rebuild.setting]] in the policy")
		}
	}
	if r.Dirty && p.Rebuild.Dirty == "" && r.ChosenBy != ByAuditor {
		return inconclusive("the recipe asks for a stamp that says the tree was modified, and only the auditor can accept that").
			hint("give the recipe yourself with --recipe, or set [rebuild] dirty in the policy")
	}
	who := "chosen by the " + r.ChosenBy
	if r.Place != "" {
		who += ": " + fault.Quote(r.Place)
	}
	if r.Target != "" {
		who += ", target " + fault.Quote(r.Target)
	}
	return passed("%s", who).with("sha256", r.SHA256)
}

func recipeContradiction(f Facts, _ *policy.Policy) Check {
	r := f.Recipe
	switch {
	case r == nil:
		return notReached("what the artefact says of itself")
	case len(r.Contradictions) > 0:
		return failed("%s", strings.Join(r.Contradictions, "; "))
	}
	return passed("what the artefact says of itself agrees with the commit")
}

func builderAvailable(f Facts, _ *policy.Policy) Check {
	if f.Builder == nil || len(f.Builder.Layers) == 0 {
		return notReached("builder")
	}
	var names []string
	for _, l := range f.Builder.Layers {
		names = append(names, strings.TrimSpace(l.Name+" "+l.Version))
	}
	return passed("%s", fault.Quote(strings.Join(names, ", "))).with("sha256", f.Builder.SHA256)
}

// builderVouched closes F3.
func builderVouched(f Facts, p *policy.Policy) Check {
	if f.Builder == nil || len(f.Builder.Layers) == 0 {
		return notReached("voucher")
	}
	var by []string
	for _, l := range f.Builder.Layers {
		i := slices.IndexFunc(p.Rebuild.Builders, func(b policy.Builder) bool { return l.Digest != "" && b.Digest == l.Digest })
		switch {
		case i >= 0:
			by = append(by, "the policy")
		case l.Voucher.Kind != "":
			by = append(by, l.Voucher.Kind)
		default:
			c := inconclusive("nobody but the vendor vouches for %s", fault.Quote(l.Name))
			if l.Digest == "" {
				return c.hint("it is not pinned, so nobody can; use a builder with a voucher")
			}
			return c.hint("use a builder with a voucher, or vouch for this one: [[rebuild.builder]] digest = %q", l.Digest)
		}
	}
	slices.Sort(by)
	return passed("vouched for by %s", strings.Join(slices.Compact(by), ", "))
}

// inputsFetched judges what was fetched. Which modules the checksum database is not asked about, and which database it is, stands in
// the environment of whoever runs this: that changes a check only where the policy says so too.
func inputsFetched(f Facts, p *policy.Policy) Check {
	in := f.Inputs
	if in == nil {
		return notReached("fetched inputs")
	}
	if c, foreign := foreignDatabase(in, in.Modules, p); foreign {
		return c
	}
	private, packages, named := 0, 0, 0
	for _, m := range in.Modules {
		if m.Ecosystem == "npm" {
			packages++
		}
		switch m.Status {
		case "verified":
		case "private":
			if m.Ecosystem == "npm" {
				named++
				continue
			}
			if private++; !privateAllowed(p, m.Path) {
				return inconclusive("%s@%s: %s", fault.Quote(m.Path), fault.Quote(m.Version), orElse(m.Detail, "private")).
					hint("the Go configuration keeps it from the checksum database; [rebuild] private-modules = [%q] in a policy accepts what the commit's go.sum says", m.Path)
			}
		case "mismatch":
			return failed("%s@%s: %s", fault.Quote(m.Path), fault.Quote(m.Version), m.Detail)
		default:
			return inconclusive("%s@%s: %s", fault.Quote(m.Path), fault.Quote(m.Version), orElse(m.Detail, "not verified"))
		}
	}
	modules := len(in.Modules) - packages
	switch {
	case in.Files == 0:
		return passed("nothing was fetched")
	case packages > 0:
		text := count(packages, "package") + ", as the lock names them"
		if named > 0 {
			text += fmt.Sprintf(", %d of them by version alone", named)
		}
		if modules > 0 {
			text = fmt.Sprintf("%s, as the checksum database or the commit's go.sum has it; ", count(modules, "module")) + text
		}
		return passed("%s", text).with("sha256", in.SHA256)
	case private > 0:
		return passed("%s, %d of them private and known to the commit's go.sum only", count(len(in.Modules), "module"), private).with("sha256", in.SHA256)
	}
	return passed("%s, as the checksum database has it", count(len(in.Modules), "module")).with("sha256", in.SHA256)
}

// privateAllowed tells whether the policy leaves a module to the commit's go.sum.
func privateAllowed(p *policy.Policy, path string) bool {
	return slices.ContainsFunc(p.Rebuild.Private, func(prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") })
}

// foreignDatabase is the answer where another checksum database than Go's own vouched for modules, and the policy does not
// name it.
func foreignDatabase(in *Inputs, list []Module, p *policy.Policy) (Check, bool) {
	asked := slices.ContainsFunc(list, func(m Module) bool { return m.Ecosystem == "" && m.Status == "verified" })
	if in.Database == "" || !asked || in.Database == p.Rebuild.Database {
		return Check{}, false
	}
	return inconclusive("modules are vouched for by the checksum database %s alone", fault.Quote(in.Database)).
		hint("unset GOSUMDB, or name it in a policy: [rebuild] checksum-database = %q", in.Database), true
}

// inputsVendored closes F19: -mod=vendor checks no content.
func inputsVendored(f Facts, p *policy.Policy) Check {
	in := f.Inputs
	if in == nil {
		return notReached("vendored modules")
	}
	if c, foreign := foreignDatabase(in, in.Vendored, p); foreign {
		return c
	}
	for _, m := range in.Vendored {
		if m.Status == "verified" || m.Status == "private" && privateAllowed(p, m.Path) {
			continue
		}
		text := fmt.Sprintf("%s@%s: %s", fault.Quote(m.Path), fault.Quote(m.Version), orElse(m.Detail, m.Status))
		switch {
		case p.Rebuild.Vendored != "":
			return reported("%s; accepted by the policy: %s", text, fault.Quote(p.Rebuild.Vendored))
		case m.Status == "mismatch":
			return failed("%s", text).hint("the vendored copy is not the published module: read what was changed, [rebuild] vendored in the policy accepts it")
		}
		return inconclusive("%s", text)
	}
	if len(in.Vendored) == 0 {
		return passed("nothing is vendored")
	}
	return passed("%s, as the checksum database has it", count(len(in.Vendored), "module"))
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func plural(n int, thing string) string {
	if n == 1 {
		return thing
	}
	return thing + "s"
}

func short(id string) string { return id[:min(12, len(id))] }

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 0:
		return "unknown size"
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
