package policy

import (
	"fmt"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// Source holds the demands on the commit.
type Source struct {
	SignedBy    string     `toml:"signed-by"` // group or principal that must have signed the commit
	Since       string     `toml:"since"`     // full id of a commit that was accepted earlier: every later one must satisfy signed-by
	Paths       []PathRule `toml:"path"`
	Tag         *Tag       `toml:"tag"`
	Attributes  string     `toml:"attributes"`      // raw (default), checkout or archive: the most that a recipe may ask for
	Unreachable string     `toml:"unreachable"`     // reason to accept a commit that no branch or tag reaches
	Links       string     `toml:"escaping-links"`  // report (default) or fail: links that lead out of the tree
	Colliding   string     `toml:"colliding-names"` // report (default) or fail: names that some file systems take for one
	Opaque      []Opaque   `toml:"opaque"`
	OpaqueRule  string     `toml:"unlisted-opaque"` // report (default) or fail
	ReadOpaque  string     `toml:"read-opaque"`     // fail (default) or report: a file that is not listed and that the build read
}

// PathRule demands more for some paths: whoever changes one of them must satisfy SignedBy.
type PathRule struct {
	Match    string `toml:"match,required"` // see Fits
	SignedBy string `toml:"signed-by,required"`
}

// Tag demands a tag at the commit.
type Tag struct {
	SignedBy string   `toml:"signed-by"` // group or principal that must have signed it; "" takes any tag
	Names    []string `toml:"names"`     // patterns, * stops at /; empty takes any name
}

// Opaque is a file that cannot be read and that the auditor knows.
type Opaque struct {
	Path   string `toml:"path,required"`
	SHA256 string `toml:"sha256,required"`
	Reason string `toml:"reason,required"`
}

// Fits tells whether the rule is about a path of the tree. A pattern is the whole path, in which * stands for anything
// but a slash. One that ends in a slash is about everything below that directory, and about whatever takes its place: a
// link or a submodule there would change what lies below it.
func (r PathRule) Fits(p string) bool {
	dir, below := strings.CutSuffix(r.Match, "/")
	if !below {
		return fits(r.Match, p)
	}
	if n := strings.Count(dir, "/") + 1; strings.Count(p, "/") >= n {
		p = strings.Join(strings.SplitN(p, "/", n+1)[:n], "/")
	}
	return fits(dir, p)
}

// fits matches with path.Match; what is special to it beside * was refused when the policy was read.
func fits(pattern, p string) bool {
	ok, err := path.Match(pattern, p)
	return ok && err == nil
}

// check refuses demands on the commit that say nothing or could never hold.
func (s *Source) check(doc *tomlfile.Document) error {
	if doc.Has("source.since") {
		if !fullID(s.Since) {
			return doc.Errorf("source.since", "%q: need full commit id", s.Since).WithHint("git rev-parse REVISION prints it; branches and tags can move")
		}
		if s.SignedBy == "" {
			return doc.Errorf("source.since", "demands nothing without signed-by").WithHint("name the group that must have signed every commit since then")
		}
	}
	if len(s.Paths) > maxPathRules {
		return doc.Errorf("source.path", "exceeds %d rules", maxPathRules)
	}
	for i, r := range s.Paths {
		key := fmt.Sprintf("source.path[%d]", i)
		if why := badPattern(r.Match); why != "" {
			return doc.Errorf(key, "malformed pattern %q: %s", r.Match, why)
		}
		for _, earlier := range s.Paths[:i] {
			if earlier == r {
				return doc.Errorf(key, "the same rule stands above")
			}
		}
	}
	if s.Tag == nil {
		return nil
	}
	for i, n := range s.Tag.Names {
		if _, err := path.Match(n, ""); err != nil || n == "" {
			return doc.Errorf(fmt.Sprintf("source.tag.names[%d]", i), "malformed pattern %q", n)
		}
	}
	return nil
}

// signers refuses demands on a group or principal that does not exist.
func (s *Source) signers(doc *tomlfile.Document, t *trust.Trust) error {
	demand := func(key, who string) error {
		switch {
		case who == "" && doc.Has(key):
			return doc.Errorf(key, "name a group or principal")
		case who != "" && !t.Known(who):
			return doc.Errorf(key, "%q is neither a group nor a principal of this policy", who)
		}
		return nil
	}
	if err := demand("source.signed-by", s.SignedBy); err != nil {
		return err
	}
	if s.Tag != nil {
		if err := demand("source.tag.signed-by", s.Tag.SignedBy); err != nil {
			return err
		}
	}
	for i, r := range s.Paths {
		if err := demand(fmt.Sprintf("source.path[%d].signed-by", i), r.SignedBy); err != nil {
			return err
		}
	}
	return nil
}

// badPattern says why no path of a tree could fit a pattern, or why it would not mean what it seems to.
func badPattern(p string) string {
	dir := strings.TrimSuffix(p, "/")
	switch {
	case dir == "":
		return "it is empty"
	case len(p) > maxPathPattern:
		return fmt.Sprintf("it exceeds %d bytes", maxPathPattern)
	case !fault.Plain(p):
		return "it holds unprintable characters"
	case strings.ContainsAny(p, `?[]\{}`):
		return "only * is special"
	case strings.Contains(p, "**"):
		return "* never crosses /; a pattern that ends in / is about everything below"
	}
	for part := range strings.SplitSeq(dir, "/") {
		if part == "" || part == "." || part == ".." {
			return "paths are relative to the root of the tree, without ., .. or empty parts"
		}
	}
	return ""
}

// fullID tells whether s is the full id of an object, in either format of git.
func fullID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
