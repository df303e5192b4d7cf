package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Style says how text may look.
type Style struct {
	Color bool // ANSI colours; never the only carrier of a meaning
	Width int  // columns to wrap at; 0 does not wrap
}

// maxListed is how many members a text report names in full; the JSON form has all.
const maxListed = 12

// Text renders the verdict for people: one line a check, the verdict last.
func Text(v verdict.Verdict, s Style) []byte {
	w := &textWriter{style: s}
	w.head(v)
	missed := 0
	var idle []string
	for _, c := range v.Checks {
		switch {
		case c.Status == verdict.StatusNotReached:
			missed++
			continue
		case c.Status == verdict.StatusReported && c.Text == verdict.NotDemanded:
			idle = append(idle, c.ID)
			continue
		}
		w.idle(idle)
		idle = nil
		w.check(c)
	}
	w.idle(idle)
	if missed > 0 {
		w.check(verdict.Check{ID: fmt.Sprintf("%d more", missed), Status: verdict.StatusNotReached, Text: "not reached: the run ended before"})
	}
	w.release(v)
	w.members(v)
	w.read(v)
	w.recipe(v)
	for i, e := range v.Exceptions {
		if i == 0 {
			w.line("", "\nThe policy made exceptions:")
		}
		w.line("  ! ", e)
	}
	if text := leftOut(v); text != "" {
		w.line("", "\n"+text)
	}
	w.last(v)
	return []byte(w.b.String())
}

type textWriter struct {
	b     strings.Builder
	style Style
}

// head names what was judged, and first of all what the artefact itself chose.
func (w *textWriter) head(v verdict.Verdict) {
	var chosen []string
	if v.Source != nil && v.Source.ChosenBy == verdict.ByArtefact {
		chosen = append(chosen, "commit "+v.Source.Commit)
	}
	if v.Recipe != nil && v.Recipe.ChosenBy == verdict.ByArtefact {
		chosen = append(chosen, "recipe")
	}
	if len(chosen) > 0 {
		w.line("", "Chosen by the artefact, not by you: "+strings.Join(chosen, " and ")+".")
	}
	name := fault.Quote(v.Subject.Name)
	if v.Subject.Member != "" {
		name = fault.Quote(v.Subject.Member) + " in " + name
	}
	w.line("artefact  ", name)
	if v.Subject.SHA256 != "" {
		w.line("sha256    ", v.Subject.SHA256)
	}
	if v.Source != nil {
		w.line("source    ", fault.Quote(v.Source.Repository))
		w.line("commit    ", v.Source.Commit)
	}
	w.line("policy    ", fault.Quote(v.Policy.Name))
	w.roots(v.Source)
	w.b.WriteByte('\n')
}

// roots says by whose roots certificates on commits and tags were judged.
func (w *textWriter) roots(s *verdict.Source) {
	if s != nil && s.Roots != nil {
		w.line("roots     ", fault.Quote(s.Roots.Name))
		w.line("          ", "sha256 "+s.Roots.SHA256)
	}
}

// marks carry the meaning; colours only repeat it.
var marks = map[verdict.Status]struct{ sign, color string }{
	verdict.StatusPassed:       {"✓", "32"},
	verdict.StatusFailed:       {"✗", "31;1"},
	verdict.StatusInconclusive: {"?", "33"},
	verdict.StatusReported:     {"·", "36"},
	verdict.StatusNotReached:   {"–", "2"},
}

func (w *textWriter) check(c verdict.Check) {
	m, ok := marks[c.Status]
	if !ok {
		m = marks[verdict.StatusFailed]
	}
	w.line(w.paint(m.color, m.sign)+" "+fmt.Sprintf("%-24s ", c.ID), oneLine(c.Text))
}

// idle puts checks of which nothing is demanded, one behind the other, into one line.
func (w *textWriter) idle(ids []string) {
	switch len(ids) {
	case 0:
	case 1:
		w.check(verdict.Check{ID: ids[0], Status: verdict.StatusReported, Text: verdict.NotDemanded})
	default:
		w.check(verdict.Check{ID: ids[0], Status: verdict.StatusReported, Text: fmt.Sprintf("%s, nor is anything up to %s", verdict.NotDemanded, ids[len(ids)-1])})
	}
}

// members lists what is in the subject, what matters most first.
func (w *textWriter) members(v verdict.Verdict) {
	if v.Comparison == nil || len(v.Comparison.Members) < 2 {
		return
	}
	w.b.WriteString("\nMembers:\n")
	list := sortedMembers(v)
	for i, m := range list {
		if i == maxListed {
			w.line("  ", fmt.Sprintf("… and %d more; the JSON form lists all", len(list)-maxListed))
			break
		}
		text := fault.Quote(m.Path)
		if m.State == verdict.InTree && m.TreePath != m.Path {
			text += " (" + fault.Quote(m.TreePath) + ")"
		}
		if m.Runs != "" && (m.State == verdict.Uncovered || m.State == verdict.Covered) {
			text += ", " + fault.Quote(m.Runs)
		}
		w.line(fmt.Sprintf("  %-13s ", m.State), text)
		if m.Difference != nil {
			for _, e := range m.Difference.Explain {
				w.line("                  ", e)
			}
		}
	}
}

// recipe is printed when nobody but the artefact stands behind it.
func (w *textWriter) recipe(v verdict.Verdict) {
	r := v.Recipe
	if r == nil || r.ChosenBy != verdict.ByArtefact || r.Text == "" {
		return
	}
	w.b.WriteString("\nThe recipe, as the artefact tells it:\n")
	for line := range strings.Lines(strings.TrimRight(r.Text, "\n") + "\n") {
		w.b.WriteString("  | " + quoteLine(strings.TrimSuffix(line, "\n")) + "\n")
	}
	for _, u := range r.Unknown {
		w.line("  not known: ", fault.Quote(u))
	}
}

// oneLine is the last guard of a line: texts are quoted where they are made, and one that was not must not begin a line of
// its own.
func oneLine(s string) string {
	if fault.Plain(s) {
		return s
	}
	return fault.Quote(s)
}

// quoteLine leaves TOML readable and makes what a terminal would act upon visible.
func quoteLine(s string) string {
	if fault.Plain(strings.ReplaceAll(s, "\t", " ")) {
		return s
	}
	return fault.Quote(s)
}

func (w *textWriter) last(v verdict.Verdict) {
	w.b.WriteByte('\n')
	color := map[verdict.Result]string{verdict.Passed: "32;1", verdict.Failed: "31;1", verdict.Inconclusive: "33;1"}[v.Result]
	w.line(w.paint(color, strings.ToUpper(string(v.Result)))+" ("+string(v.Match)+"): ", oneLine(v.Summary))
	for _, u := range v.Unsignable {
		if v.Result != verdict.Inconclusive && v.Scope != verdict.ScopeCheck {
			w.line("  note: ", "cannot be signed: "+u)
		}
	}
}

func (w *textWriter) paint(color, s string) string {
	if !w.style.Color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// line writes lead and text, wrapping the text at words with a hanging indent.
func (w *textWriter) line(lead, text string) {
	indent := visible(lead)
	w.b.WriteString(lead)
	room := w.style.Width - indent
	if w.style.Width == 0 || room < 20 {
		w.b.WriteString(text + "\n")
		return
	}
	col := 0
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		if i > 0 {
			if col+1+n > room {
				w.b.WriteString("\n" + strings.Repeat(" ", indent))
				col = 0
			} else {
				w.b.WriteByte(' ')
				col++
			}
		}
		w.b.WriteString(word)
		col += n
	}
	w.b.WriteByte('\n')
}

// visible counts the columns of s without its colour sequences.
func visible(s string) int {
	n := 0
	for s != "" {
		if strings.HasPrefix(s, "\x1b[") {
			_, s, _ = strings.Cut(s, "m")
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if r == '\n' {
			n = 0
			continue
		}
		n++
	}
	return n
}

// Hints returns the hint of every check that did not pass, for the person at the terminal.
func Hints(v verdict.Verdict) []string {
	var list []string
	for _, c := range v.Checks {
		if c.Hint != "" && c.Status != verdict.StatusPassed && !slices.Contains(list, c.Hint) {
			list = append(list, c.Hint)
		}
	}
	return list
}
