package verify

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/redact"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// PolicyFrom writes a policy to start from: what the verdict claims would satisfy it. Whatever it accepts beyond the
// built-in policy stands there with a reason for a person to replace. It fails where no policy can be content with what the
// verdict claims.
func PolicyFrom(verdictFile string, now time.Time) ([]byte, error) {
	v, err := ReadVerdict(verdictFile)
	if err != nil {
		return nil, err
	}
	if hidden, _ := redact.Count(*v); hidden > 0 {
		return nil, fault.Usagef(fault.Quote(verdictFile), "leaves out %d entries: a policy has to name what it demands", hidden).WithHint("make it from the whole verdict")
	}
	facts := v.Facts
	facts.Now = now
	w := &policyWriter{facts: facts, people: map[string]verdict.Signer{}}
	text := w.policy()
	p, err := policy.Parse("policy.toml", []byte(text), now)
	if err != nil {
		return nil, fault.Failf(fault.Quote(verdictFile), "no policy can be written from it: %w", err)
	}
	if again := verdict.Decide(facts, p); again.ExitCode() != verdict.ExitPassed {
		return nil, fault.Failf(fault.Quote(verdictFile), "no policy would be content with it: %s", printable(again.Summary))
	}
	return []byte(text), nil
}

// policyWriter writes the tables of a policy.
type policyWriter struct {
	b      strings.Builder
	facts  verdict.Facts
	people map[string]verdict.Signer
}

// unread is the reason that stands where a person has to give one.
const unread = "listed from a verdict: look at it, and say here why it is acceptable"

func (w *policyWriter) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

// set writes a key with a text, and nothing for none.
func (w *policyWriter) set(key, value string) {
	if value != "" {
		w.line("%s = %s", key, strconv.Quote(value))
	}
}

func (w *policyWriter) policy() string {
	w.line("# Written from a verdict about %s. Read every line: it says what that verdict would satisfy, not what you", fault.Quote(w.facts.Subject.Name))
	w.line("# should demand. Whatever has the reason %q was only listed.", "listed from a verdict")
	w.line("format = 1")
	var evidence, votes string
	if w.facts.Provenance != nil {
		evidence = w.provenance()
	}
	if w.facts.Votes != nil {
		votes = w.quorum()
	}
	if w.facts.Scope == "" {
		w.rebuild()
	}
	w.b.WriteString(evidence + votes)
	return w.b.String()
}

func (w *policyWriter) rebuild() {
	if s := w.facts.Source; s != nil {
		w.line("\n[source]")
		if s.Attributes != "" && s.Attributes != "raw" {
			w.set("attributes", s.Attributes)
		}
		if len(s.Refs) == 0 {
			w.set("unreachable", unread)
		}
	}
	w.line("\n[rebuild]")
	if r := w.facts.Rebuild; r != nil && r.Runs >= policy.MinRuns && r.Runs <= policy.MaxRuns {
		w.line("runs = %d", r.Runs)
	}
	c := w.facts.Comparison
	partial := c != nil && c.Whole != verdict.Identical && c.Whole != verdict.Equivalent
	var forgiven []string
	if c != nil {
		for _, m := range c.Members {
			for _, g := range m.Forgiven {
				if !slices.Contains(forgiven, g.Name) {
					forgiven = append(forgiven, g.Name)
				}
			}
		}
	}
	switch {
	case partial:
		w.set("match", "partial")
	case len(forgiven) > 0:
		w.set("match", "equivalent")
	}
	if r := w.facts.Recipe; r != nil && r.Dirty && r.ChosenBy != verdict.ByAuditor {
		w.set("dirty", unread)
	}
	if in := w.facts.Inputs; in != nil && slices.ContainsFunc(in.Vendored, func(m verdict.Module) bool { return m.Status != "verified" }) {
		w.set("vendored", unread)
	}
	if b := w.facts.Builder; b != nil {
		for _, l := range b.Layers {
			if l.Voucher.Kind == "" && l.Digest != "" {
				w.table("rebuild.builder", "digest", l.Digest)
			}
		}
	}
	if r := w.facts.Recipe; r != nil {
		for _, text := range r.Refused {
			w.table("rebuild.setting", "text", text)
		}
	}
	for _, name := range forgiven {
		w.table("rebuild.allow", "name", name)
	}
	if partial {
		for _, m := range c.Members {
			if m.State == verdict.Nowhere {
				w.table("rebuild.cover", "member", m.Path, "sha256", m.SHA256)
			}
		}
	}
	if r := w.facts.Rebuild; r != nil {
		for _, k := range r.Copies {
			w.table("rebuild.copy", "sha256", k.SHA256)
		}
	}
}

// table writes one element of an array of tables.
func (w *policyWriter) table(name string, pairs ...string) {
	w.line("\n[[%s]]", name)
	for i := 0; i+1 < len(pairs); i += 2 {
		w.set(pairs[i], pairs[i+1])
	}
	w.set("reason", unread)
}

// signers writes the principals of statements, each once, and a group of them all.
func (w *policyWriter) signers(group string, list []verdict.Statement) string {
	var names []string
	for _, s := range list {
		for _, g := range s.Signers {
			if !slices.Contains(names, g.Principal) {
				names = append(names, g.Principal)
			}
			if _, known := w.people[g.Principal]; known {
				continue
			}
			w.people[g.Principal] = g
			w.line("\n[[principal]]")
			w.set("name", g.Principal)
			w.set("identity", g.Identity)
			w.set("issuer", g.Issuer)
			if g.Identity == "" {
				w.set("key", publicPEM(g.PublicKey))
			}
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	w.line("\n[[group]]")
	w.set("name", group)
	w.line("members = %s", quoteAll(names))
	w.set("threshold", "all")
	return group
}

func publicPEM(key string) string {
	der, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(der) == 0 {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func quoteAll(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, strconv.Quote(s))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// standing are the statements that nobody took back.
func standing(list []verdict.Statement) []verdict.Statement {
	return slices.DeleteFunc(slices.Clone(list), func(s verdict.Statement) bool { return s.Withdrawn != "" })
}

func (w *policyWriter) provenance() string {
	list := standing(w.facts.Provenance.Statements)
	if len(list) == 0 {
		return ""
	}
	list = slices.DeleteFunc(list, func(s verdict.Statement) bool { return s.Type != list[0].Type })
	by := w.signers("signers", list)
	out := &policyWriter{}
	out.line("\n[provenance]")
	out.set("signed-by", by)
	out.line("types = %s", quoteAll([]string{list[0].Type}))
	for _, d := range (&policy.Provenance{}).Demands() {
		said := list[0].Says[d.Name]
		if slices.ContainsFunc(list, func(s verdict.Statement) bool { return s.Says[d.Name] != said || s.Conflicts[d.Name] != "" }) {
			continue
		}
		out.set(d.Name, said)
	}
	out.witnesses(list)
	return out.b.String()
}

// witnesses demands the logs and authorities that every one of the statements has.
func (w *policyWriter) witnesses(list []verdict.Statement) {
	logs, stamps, noSCT := len(list[0].Logs), len(list[0].Timestamps), false
	for _, s := range list {
		logs, stamps = min(logs, len(s.Logs)), min(stamps, len(s.Timestamps))
		noSCT = noSCT || slices.Contains(s.Exceptions, "no SCT is demanded")
	}
	var require []string
	if logs > 0 {
		require = append(require, "log")
	} else {
		w.set("no-log", unread)
	}
	if stamps > 0 {
		require = append(require, "timestamp")
	}
	w.line("require = %s", quoteAll(require))
	if noSCT {
		w.set("no-sct", unread)
	}
}

func (w *policyWriter) quorum() string {
	var list []verdict.Statement
	var first *verdict.Vote
	for _, s := range standing(w.facts.Votes.Statements) {
		v := s.Vote
		if v == nil || v.Result != "PASSED" || v.Tree == "" || first != nil && (v.Commit != first.Commit || v.Tree != first.Tree || v.Recipe != first.Recipe || v.Builder != first.Builder) {
			continue
		}
		if first == nil {
			first = v
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return ""
	}
	by := w.signers("auditors", list)
	var policies []string
	oldest := w.facts.Now
	for _, s := range list {
		if !slices.Contains(policies, s.Vote.Policy) {
			policies = append(policies, s.Vote.Policy)
		}
		if at := time.Unix(s.Vote.Time, 0); at.Before(oldest) {
			oldest = at
		}
	}
	out := &policyWriter{}
	out.line("\n[quorum]")
	out.set("of", by)
	out.line("policies = %s", quoteAll(policies))
	out.set("max-age", fmt.Sprintf("%dd", 1+int(w.facts.Now.Sub(oldest).Hours()/24)))
	if w.facts.Scope != "" {
		out.set("commit", first.Commit)
		out.set("tree", first.Tree)
		out.set("recipe", first.Recipe)
		out.set("builder", first.Builder)
	}
	out.witnesses(list)
	return out.b.String()
}
