// Package policy reads policy.toml: what an auditor demands of a verification.
//
// A policy is the auditor's, never the vendor's. It is strict: an unknown or duplicate key, a wrong letter case, an expired
// date or a rule that could never hold is an error with its line, never a weaker policy. Nothing but a policy can weaken a
// check, every weakening needs a written reason, and the verdict repeats it. The digest covers the file and every file
// that it names.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// Policy is what an auditor demands.
type Policy struct {
	Name   string // "built-in", or the file's base name
	SHA256 string // over the file and every file that it names

	Trust   *trust.Trust // who counts as whom
	Source  Source
	Rebuild Rebuild
	Release Release

	Provenance *Provenance // nil demands no signed statement
	Quorum     *Quorum     // nil demands nobody else's rebuild

	dir   string
	named []namedFile
	doc   *tomlfile.Document
}

// file is the document as it is written.
type file struct {
	Expires        tomlfile.Date `toml:"expires"`
	AllowedSigners string        `toml:"allowed-signers"` // an OpenSSH allowed_signers file: each line is a principal
	RevokedKeys    string        `toml:"revoked-keys"`    // an OpenSSH key revocation list
	Principals     []principal   `toml:"principal"`
	Groups         []group       `toml:"group"`
	Source         Source        `toml:"source"`
	Provenance     *Provenance   `toml:"provenance"`
	Rebuild        Rebuild       `toml:"rebuild"`
	Quorum         *Quorum       `toml:"quorum"`
	Release        Release       `toml:"release"`
}

// Rebuild holds the demands on rebuild and comparison.
type Rebuild struct {
	Runs        int64     `toml:"runs"`
	Account     string    `toml:"account"`   // prove (default): an account of inputs that is not proved is inconclusive; or report
	Vary        string    `toml:"vary"`      // what differs between the runs: usual (default) or all
	Sandbox     []string  `toml:"sandbox"`   // runtimes whose sandboxes count; empty takes any
	Isolation   []string  `toml:"isolation"` // what sandboxes must have had beside what every one has, of Isolations
	Match       string    `toml:"match"`     // the weakest match that passes: identical, equivalent or partial
	Builders    []Builder `toml:"builder"`
	Settings    []Setting `toml:"setting"`
	Dirty       string    `toml:"dirty"` // reason to accept a stamp that says "modified"
	Cover       []Cover   `toml:"cover"`
	Copies      []Copied  `toml:"copy"`
	Allow       []Allowed `toml:"allow"`             // differences that are forgiven where the recipe declares them too
	Archives    []string  `toml:"archive-keys"`      // files with OpenPGP keys of package archives that vouch beside the system's own
	ArchiveKeys [][]byte  `toml:"-"`                 // what they hold
	Private     []string  `toml:"private-modules"`   // modules, or what their paths begin with, that the commit's go.sum alone vouches for
	Database    string    `toml:"checksum-database"` // name of the one that vouches for modules in place of Go's own
	Vendored    string    `toml:"vendored"`          // reason to accept vendored modules that differ from the checksum database, or are unknown to it
}

// Builder is a builder layer that the auditor vouches for.
type Builder struct {
	Digest string `toml:"digest,required"` // as the verdict names it: "sha256:…" or "h1:…"
	Reason string `toml:"reason,required"`
}

// Setting is a setting of the artefact that the auditor accepts word for word.
type Setting struct {
	Text   string `toml:"text,required"`
	Reason string `toml:"reason,required"`
}

// Cover is a member that was not rebuilt and that the auditor accepts by digest.
type Cover struct {
	Member string `toml:"member,required"`
	SHA256 string `toml:"sha256,required"`
	Reason string `toml:"reason,required"`
}

// Copied is an output that may be a copy of an input.
type Copied struct {
	SHA256 string `toml:"sha256,required"`
	Reason string `toml:"reason,required"`
}

// BuiltIn is the policy that applies where none is named. It is written in the same language as any other.
const BuiltIn = `# The policy that applies without --policy: identical, two agreeing runs, a builder that somebody other
# than the vendor vouches for, a commit that a branch or tag reaches, an account of everything that the build read,
# and nothing in it that no person can read. Signatures are reported, not demanded.
format = 1

[source]
attributes = "raw"
unlisted-opaque = "report"
read-opaque = "fail"

[rebuild]
runs = 2
account = "prove"
match = "identical"
`

// Default returns the built-in policy.
func Default() *Policy {
	p, err := parse("built-in", []byte(BuiltIn), time.Time{})
	if err != nil {
		panic(err) // a constant of this package; its test reads it
	}
	return p
}

// Load reads the policy file at path as it stands on the day now.
func Load(path string, now time.Time) (*Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", pathless(err)).WithHint("--policy takes a policy file; glassbuild policy prints one to start from")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, tomlfile.MaxBytes+1))
	if err != nil { // half a policy demands less than the whole one
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", pathless(err))
	}
	return parse(path, data, now)
}

func pathless(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

func parse(name string, data []byte, now time.Time) (*Policy, error) {
	var f file
	doc, err := tomlfile.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	p := &Policy{Name: name, Source: f.Source, Provenance: f.Provenance, Rebuild: f.Rebuild, Release: f.Release, Quorum: f.Quorum, dir: filepath.Dir(name), doc: doc}
	if !f.Expires.IsZero() && !now.Before(f.Expires.End()) {
		return nil, doc.Errorf("expires", "expired on %s", f.Expires).WithHint("renew the policy: nothing is judged by an expired one")
	}
	if err := p.check(doc); err != nil {
		return nil, err
	}
	if err := p.people(doc, &f); err != nil {
		return nil, err
	}
	if err := p.allowedSigners(doc); err != nil {
		return nil, err
	}
	if p.Rebuild.ArchiveKeys, err = p.readAll(p.Rebuild.Archives); err != nil {
		return nil, at(doc, "rebuild.archive-keys", err)
	}
	if err := p.Source.signers(doc, p.Trust); err != nil {
		return nil, err
	}
	if err := p.Release.signers(doc, p.Trust); err != nil {
		return nil, err
	}
	if err := p.evidence(doc); err != nil {
		return nil, err
	}
	p.SHA256 = p.digest(data)
	return p, nil
}

// evidence checks what is demanded of signed statements.
func (p *Policy) evidence(doc *tomlfile.Document) error {
	if p.Provenance != nil {
		if err := p.Provenance.check(doc, p.Trust); err != nil {
			return err
		}
		if name := p.Provenance.TrustedRoot; name != "" {
			var err error
			if p.Provenance.Roots, err = p.read(name); err != nil {
				return at(doc, "provenance.trusted-root", err)
			}
		}
	}
	if p.Quorum != nil {
		if err := p.Quorum.check(doc, p.Trust); err != nil {
			return err
		}
	}
	return p.vendors(doc)
}

// At returns FILE:LINE:COLUMN of a key, such as "rebuild.match", and whether the policy holds it.
func (p *Policy) At(key string) (string, bool) {
	if p.doc == nil || !p.doc.Has(key) {
		return "", false
	}
	return p.doc.At(key), true
}

// Parse reads a policy that stands in no file; the files that it names are found from the current folder.
func Parse(name string, data []byte, now time.Time) (*Policy, error) { return parse(name, data, now) }

// Beside returns where a place that the policy names lies: a folder is found from the policy's own, anything else stands
// for itself.
func (p *Policy) Beside(place string) string {
	if filepath.IsAbs(place) {
		return place
	}
	if own := filepath.Join(p.dir, place); exists(own) {
		return own
	}
	return place
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// digest covers the file and, in the order in which it names them, every named file with its length (F15).
func (p *Policy) digest(data []byte) string {
	h := sha256.New()
	h.Write(data)
	for _, n := range p.named {
		fmt.Fprintf(h, "\x00%s\x00%d\x00", n.name, len(n.data))
		h.Write(n.data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// check fills defaults and refuses rules that are empty, unknown or impossible.
func (p *Policy) check(doc *tomlfile.Document) error {
	if err := choice(doc, "source.attributes", &p.Source.Attributes, "raw", "checkout", "archive"); err != nil {
		return err
	}
	for _, c := range []struct {
		key  string
		rule *string
	}{{"source.unlisted-opaque", &p.Source.OpaqueRule}, {"source.escaping-links", &p.Source.Links}, {"source.colliding-names", &p.Source.Colliding}} {
		if err := choice(doc, c.key, c.rule, "report", "fail"); err != nil {
			return err
		}
	}
	if err := p.Release.check(doc); err != nil {
		return err
	}
	if err := choice(doc, "rebuild.match", &p.Rebuild.Match, "identical", "equivalent", "partial"); err != nil {
		return err
	}
	if err := choice(doc, "rebuild.account", &p.Rebuild.Account, "prove", "report"); err != nil {
		return err
	}
	if err := p.Rebuild.checkSandbox(doc); err != nil {
		return err
	}
	if err := choice(doc, "rebuild.vary", &p.Rebuild.Vary, "usual", "all"); err != nil {
		return err
	}
	if err := choice(doc, "source.read-opaque", &p.Source.ReadOpaque, "fail", "report"); err != nil {
		return err
	}
	if !doc.Has("rebuild.runs") {
		p.Rebuild.Runs = MinRuns
	}
	if p.Rebuild.Runs < MinRuns || p.Rebuild.Runs > MaxRuns {
		return doc.Errorf("rebuild.runs", "%d out of range %d–%d", p.Rebuild.Runs, MinRuns, MaxRuns)
	}
	for _, r := range [][2]string{{"source.unreachable", p.Source.Unreachable}, {"rebuild.dirty", p.Rebuild.Dirty}, {"rebuild.vendored", p.Rebuild.Vendored}} {
		if key, text := r[0], r[1]; doc.Has(key) && strings.TrimSpace(text) == "" {
			return doc.Errorf(key, "reason required")
		}
	}
	if err := p.Source.check(doc); err != nil {
		return err
	}
	if err := p.checkAllowed(doc); err != nil {
		return err
	}
	return p.checkLists(doc)
}

func (p *Policy) checkLists(doc *tomlfile.Document) error {
	type item struct{ key, sum, reason string }
	var items []item
	for i, o := range p.Source.Opaque {
		items = append(items, item{fmt.Sprintf("source.opaque[%d]", i), o.SHA256, o.Reason})
	}
	for i, b := range p.Rebuild.Builders {
		items = append(items, item{fmt.Sprintf("rebuild.builder[%d]", i), noDigest, b.Reason})
	}
	for i, b := range p.Rebuild.Builders {
		if !layerDigest.MatchString(b.Digest) {
			return doc.Errorf(fmt.Sprintf("rebuild.builder[%d]", i), "malformed digest %q: want sha256:…, h1:… or sha512-…, as the verdict names it", b.Digest).WithHint("pin by digest")
		}
	}
	for i, c := range p.Rebuild.Cover {
		items = append(items, item{fmt.Sprintf("rebuild.cover[%d]", i), c.SHA256, c.Reason})
	}
	for i, c := range p.Rebuild.Copies {
		items = append(items, item{fmt.Sprintf("rebuild.copy[%d]", i), c.SHA256, c.Reason})
	}
	for i, a := range p.Rebuild.Allow {
		items = append(items, item{fmt.Sprintf("rebuild.allow[%d]", i), noDigest, a.Reason})
	}
	for i, s := range p.Rebuild.Settings {
		items = append(items, item{fmt.Sprintf("rebuild.setting[%d]", i), noDigest, s.Reason})
	}
	for _, it := range items {
		if it.sum != noDigest && !digest(it.sum) {
			return doc.Errorf(it.key, "malformed digest %q: want 64 lower-case hex digits", it.sum)
		}
		if strings.TrimSpace(it.reason) == "" {
			return doc.Errorf(it.key, "reason required")
		}
	}
	return nil
}

var layerDigest = pattern.New(`^(sha256:[0-9a-f]{64}|h1:[0-9A-Za-z+/]{43}=|sha512-[0-9A-Za-z+/]{86}==)$`)

// noDigest marks an item that names no file.
const noDigest = "-"

func digest(s string) bool {
	return len(s) == sha256.Size*2 && strings.Trim(s, "0123456789abcdef") == ""
}

// MinRuns and MaxRuns bound [rebuild] runs: one run shows nothing about reproducibility.
const (
	MinRuns = 2
	MaxRuns = 8
)

// choice sets the first of the words where nothing is said, and refuses any other word.
func choice(doc *tomlfile.Document, key string, field *string, words ...string) error {
	if !doc.Has(key) {
		*field = words[0]
		return nil
	}
	for _, w := range words {
		if *field == w {
			return nil
		}
	}
	return doc.Errorf(key, "%q is not one of %s", *field, strings.Join(words, ", "))
}
