package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// Range is what was committed after a commit that the auditor accepted earlier (git rev-list COMMIT ^SINCE).
type Range struct {
	Since     string    `json:"since"`
	Commits   int       `json:"commits"`
	Contained bool      `json:"contained"`         // the commit is SINCE itself or one of its ancestors: nothing lies between
	By        []Commits `json:"by"`                // all commits, by who signed them
	Touched   []Touched `json:"touched,omitempty"` // who changed what a build rests on
}

// Commits are some commits whose signatures say the same.
type Commits struct {
	Signature Signature `json:"signature"` // the detail is that of the newest
	Count     int       `json:"commits"`
	Newest    []string  `json:"newest"`          // ids of the newest ones
	Paths     []string  `json:"paths,omitempty"` // some of the paths that they touched
}

// Touched says who changed one kind of file.
type Touched struct {
	What string    `json:"what"` // recipe, lock, build scripts, dependencies
	By   []Commits `json:"by"`
}

// PathTouch says who changed the paths of one rule of the policy: in the range, or in the one commit.
type PathTouch struct {
	Match    string    `json:"match"`
	SignedBy string    `json:"signed-by"`
	Commits  int       `json:"commits"`
	By       []Commits `json:"by,omitempty"`
}

// TagHistory holds the tags against what was seen of them earlier.
type TagHistory struct {
	Known int        `json:"known"` // tags with an earlier entry
	New   int        `json:"new"`   // tags seen for the first time
	Moved []MovedTag `json:"moved,omitempty"`
}

// MovedTag is a tag that pointed elsewhere once.
type MovedTag struct {
	Name   string `json:"name"`
	Before string `json:"before"` // commit that it pointed at
	Now    string `json:"now"`
	Seen   string `json:"seen"` // day on which the earlier one was seen
}

// sourceRange holds every commit since an accepted one against signed-by: a release is not better than the worst commit in it.
func sourceRange(f Facts, p *policy.Policy) Check {
	s := f.Source
	if s == nil || s.Commit == "" {
		return notReached("commits before it")
	}
	r, since := s.Range, p.Source.Since
	switch {
	case r == nil && since == "":
		return reported("no earlier commit was named (not demanded by the policy)")
	case r == nil:
		return notReached("commits since " + short(since))
	case since != "" && r.Since != since:
		return failed("looked at since %s; the policy demands it since %s", short(r.Since), short(since))
	case total(r.By) != r.Commits:
		return failed("%d commits since %s, and only %d of them looked at", r.Commits, short(r.Since), total(r.By))
	case r.Commits == 0 && !r.Contained:
		return inconclusive("no commits since %s", short(r.Since))
	}
	text := describeRange(r)
	if p.Source.SignedBy == "" {
		return reported("%s (not demanded by the policy)", text)
	}
	if c, bad := unsatisfied(r.By, p.Source.SignedBy, p); bad {
		return c
	}
	return passed("%s", text).with("gitCommit", r.Since, s.Commit)
}

// unsatisfied looks for commits that were not signed by whom the policy demands.
func unsatisfied(groups []Commits, want string, p *policy.Policy) (Check, bool) {
	for _, g := range groups {
		which := "commit"
		if len(g.Newest) > 0 {
			which += " " + short(g.Newest[0])
		}
		if g.Count > 1 {
			which += fmt.Sprintf(" and %d more", g.Count-1)
		}
		text := which + " " + describeSignature(g.Signature)
		if len(g.Paths) > 0 {
			text += ", changed " + fault.Quote(g.Paths[0])
		}
		if g.Signature.Status != signedGood {
			return failed("%s; the policy demands %s", text, fault.Quote(want)).
				hint("git log shows what the commit changed; a later since in the policy accepts what was read"), true
		}
		if ok, why := p.Trust.Satisfied(want, []string{g.Signature.Signer}); !ok {
			return failed("%s; %s", text, why), true
		}
	}
	return Check{}, false
}

func describeRange(r *Range) string {
	if r.Commits == 0 {
		return fmt.Sprintf("nothing was committed since %s, which holds it", short(r.Since))
	}
	text := fmt.Sprintf("%s since %s: %s", count(r.Commits, "commit"), short(r.Since), describeGroups(r.By))
	for _, t := range r.Touched {
		text += fmt.Sprintf("; %s changed: %s", t.What, describeGroups(t.By))
	}
	return text
}

// maxNamedGroups is how many signers a line names.
const maxNamedGroups = 4

// describeGroups says by whom, platform keys apart: they prove the forge, not the author.
func describeGroups(groups []Commits) string {
	var parts []string
	for i, g := range groups {
		if i == maxNamedGroups {
			parts = append(parts, fmt.Sprintf("%d by others", total(groups[i:])))
			break
		}
		s := g.Signature
		who := s.Status
		switch {
		case s.Status == signedGood && s.Platform:
			who = "by platform key " + fault.Quote(s.Signer)
		case s.Status == signedGood:
			who = "by " + fault.Quote(s.Signer)
		case s.Signer != "":
			who += " by " + fault.Quote(s.Signer)
		}
		parts = append(parts, fmt.Sprintf("%d %s", g.Count, who))
	}
	return strings.Join(parts, ", ")
}

func total(groups []Commits) int {
	n := 0
	for _, g := range groups {
		if g.Count <= 0 {
			return -1
		}
		n += g.Count
	}
	return n
}

// sourcePaths demands more of whoever touched some paths.
func sourcePaths(f Facts, p *policy.Policy) Check {
	s := f.Source
	if s == nil || s.Commit == "" {
		return notReached("paths that need more")
	}
	if len(p.Source.Paths) == 0 {
		return reported("no path needs more than the commit (not demanded by the policy)")
	}
	touched := 0
	for _, r := range p.Source.Paths {
		i := slices.IndexFunc(s.Paths, func(t PathTouch) bool { return t.Match == r.Match && t.SignedBy == r.SignedBy })
		if i < 0 {
			return notReached("who changed " + fault.Quote(r.Match))
		}
		t := s.Paths[i]
		if total(t.By) != t.Commits {
			return failed("%s: %d commits, and only %d of them looked at", fault.Quote(r.Match), t.Commits, total(t.By))
		}
		if c, bad := unsatisfied(t.By, r.SignedBy, p); bad {
			return c
		}
		touched += t.Commits
	}
	where := "in the commit"
	if s.Range != nil {
		where = "since " + short(s.Range.Since)
	}
	if touched == 0 {
		return passed("%s, none touched %s", count(len(p.Source.Paths), "rule"), where)
	}
	return passed("%s, touched %s by %s of those who may", count(len(p.Source.Paths), "rule"), where, count(touched, "commit"))
}

// sourceMovedTags: a tag that points elsewhere than it did is two releases under one name, however well signed both are.
func sourceMovedTags(f Facts, _ *policy.Policy) Check {
	s := f.Source
	if s == nil || s.Commit == "" {
		return notReached("earlier targets of tags")
	}
	h := s.History
	switch {
	case h == nil:
		return reported("unknown: no record of earlier tags was given (--history FILE keeps one)")
	case len(h.Moved) > 0:
		m := h.Moved[0]
		text := fmt.Sprintf("tag %s pointed at %s when it was seen on %s, and points at %s now", fault.Quote(m.Name), short(m.Before), fault.Quote(m.Seen), short(m.Now))
		if n := len(h.Moved) - 1; n > 0 {
			text += fmt.Sprintf("; %d more were moved", n)
		}
		return failed("%s", text).with("gitCommit", m.Before, m.Now).
			hint("ask the vendor why; once it is explained, take the old line out of the history file")
	case h.Known == 0:
		return reported("unknown: %s, none seen before", count(h.New, "tag"))
	}
	return passed("%s where they were, %d new", count(h.Known, "tag"), h.New)
}
