package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// SourceJSON renders what is known of a commit.
func SourceJSON(r verdict.SourceReport) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// SourceText renders what is known of a commit for people: facts first, then the judgement, if a policy was there to judge by.
// It never uses the words of a verdict about something shipped.
func SourceText(r verdict.SourceReport, s Style) []byte {
	w := &textWriter{style: s}
	if r.Source != nil {
		w.commit(r.Commit, r.Source)
		w.signers(r.Source)
		w.tree(r.Source)
	}
	for _, n := range r.Notes {
		w.line("note      ", printable(n))
	}
	if r.Judgement != nil {
		w.judgement(r.Judgement)
		return []byte(w.b.String())
	}
	for _, p := range r.Problems {
		w.line("problem   ", p.Text)
	}
	return []byte(w.b.String())
}

func printable(s string) string {
	if fault.Plain(s) {
		return s
	}
	return fault.Quote(s)
}

func (w *textWriter) commit(c *verdict.CommitInfo, s *verdict.Source) {
	w.line("source    ", fault.Quote(s.Repository))
	w.line("commit    ", s.Commit)
	if c != nil {
		w.line("subject   ", fault.Quote(c.Subject))
		w.line("author    ", person(c.Author))
		w.line("committer ", person(c.Committer))
		for _, p := range c.Parents {
			w.line("parent    ", p)
		}
	}
	w.line("git tree  ", s.GitTree)
	if s.TreeSHA256 != "" {
		w.line("sha256    ", s.TreeSHA256+" (tree)")
	}
}

func person(p verdict.Person) string {
	return fmt.Sprintf("%s <%s>, %s", fault.Quote(p.Name), fault.Quote(p.Email), time.Unix(p.Time, 0).UTC().Format(time.RFC3339))
}

// signers says who stands behind the commit: signature, tags, what reaches it, and what lies before it.
func (w *textWriter) signers(s *verdict.Source) {
	w.roots(s)
	w.line("signature ", signature(s.Signature))
	for i, t := range s.Tags {
		if i == maxListed {
			w.line("tag       ", fmt.Sprintf("… and %d more; the JSON form lists all", len(s.Tags)-maxListed))
			break
		}
		kind := "light"
		if t.Annotated {
			kind = signature(t.Signature)
		}
		w.line("tag       ", fault.Quote(t.Name)+": "+kind)
	}
	for i, ref := range s.Refs {
		if i == maxListed {
			w.line("reached   ", fmt.Sprintf("from %d more", len(s.Refs)-maxListed))
			break
		}
		w.line("reached   ", "from "+fault.Quote(ref))
	}
	if len(s.Refs) == 0 {
		w.line("reached   ", "from no branch or tag")
	}
	if r := s.Range; r != nil {
		w.line("range     ", fmt.Sprintf("%d commits since %s", r.Commits, r.Since))
		w.groups("  signed  ", r.By)
		for _, t := range r.Touched {
			w.line("  changed ", t.What)
			w.groups("    by    ", t.By)
		}
	}
	if h := s.History; h != nil {
		w.line("tags seen ", fmt.Sprintf("%d earlier, %d new, %d moved", h.Known, h.New, len(h.Moved)))
		for _, m := range h.Moved {
			w.line("  moved   ", fmt.Sprintf("%s from %s to %s", fault.Quote(m.Name), m.Before, m.Now))
		}
	}
}

func (w *textWriter) groups(lead string, list []verdict.Commits) {
	for i, g := range list {
		if i == maxListed {
			w.line(lead, fmt.Sprintf("… and %d more; the JSON form lists all", len(list)-maxListed))
			return
		}
		text := fmt.Sprintf("%d, %s", g.Count, signature(g.Signature))
		if len(g.Paths) > 0 {
			text += ": " + fault.Quote(g.Paths[0])
		}
		if len(g.Newest) > 0 {
			text += " (" + g.Newest[0][:min(12, len(g.Newest[0]))] + ")"
		}
		w.line(lead, text)
	}
}

// signature writes the status first: it is what is looked for.
func signature(s verdict.Signature) string {
	text := s.Status
	if text == "" {
		text = "not looked at"
	}
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
	if s.Detail != "" {
		text += ": " + fault.Quote(s.Detail)
	}
	return text
}

// tree says what a reader of the source should know of it.
func (w *textWriter) tree(s *verdict.Source) {
	if s.TreeSHA256 == "" {
		return
	}
	w.line("tree      ", fmt.Sprintf("%d files, %d bytes; %d opaque, %d generated, %d vendored", s.Files, s.Bytes, len(s.Opaque), s.Generated, s.Vendored))
	for _, m := range s.Submodules {
		w.line("submodule ", fmt.Sprintf("%s at %s, %s", fault.Quote(m.Path), m.Commit, fault.Quote(m.URL)))
	}
	for i, f := range s.Findings {
		if i == maxListed {
			w.line("finding   ", fmt.Sprintf("… and %d more; the JSON form lists all", len(s.Findings)-maxListed))
			break
		}
		w.line("finding   ", strings.TrimSuffix(fmt.Sprintf("%s: %s, %s", fault.Quote(f.Path), f.Kind, printable(f.Text)), ", "))
	}
	for _, o := range s.Opaque {
		w.line("opaque    ", fmt.Sprintf("%s: %s, %d bytes", fault.Quote(o.Path), o.Kind, o.Size))
		w.line("          ", "sha256 "+o.SHA256)
		if o.Touched != "" {
			w.line("          ", "last touched by "+o.Touched)
		}
	}
}

// judgement says what the policy demands of the source and whether it holds; never that something shipped is right.
func (w *textWriter) judgement(v *verdict.SourceVerdict) {
	w.line("policy    ", fault.Quote(v.Policy.Name))
	w.b.WriteByte('\n')
	for _, c := range v.Checks {
		w.check(c)
	}
	for i, e := range v.Exceptions {
		if i == 0 {
			w.line("", "\nThe policy made exceptions:")
		}
		w.line("  ! ", e)
	}
	w.b.WriteByte('\n')
	color := map[verdict.Demands]string{verdict.DemandsHold: "32;1", verdict.DemandsBroken: "31;1", verdict.DemandsUndecided: "33;1"}[v.Demands]
	w.line(w.paint(color, "SOURCE DEMANDS "+strings.ToUpper(string(v.Demands)))+": ", v.Summary)
}

// SourceHints returns the hint of every check and problem, for the person at the terminal.
func SourceHints(r verdict.SourceReport) []string {
	if r.Judgement != nil {
		return Hints(verdict.Verdict{Checks: r.Judgement.Checks})
	}
	var list []string
	for _, p := range r.Problems {
		if p.Hint != "" {
			list = append(list, p.Hint)
		}
	}
	return list
}
