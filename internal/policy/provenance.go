package policy

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
	"github.com/glassbuild/glassbuild/internal/trust"
	"github.com/glassbuild/glassbuild/internal/trust/fulcio"
)

// Witness says who, beside its signer, must have seen a signature.
type Witness struct {
	Require    []string `toml:"require"`    // log, timestamp; "log" where nothing is said
	Logs       int64    `toml:"logs"`       // distinct logs
	Timestamps int64    `toml:"timestamps"` // distinct timestamp authorities
	NoLog      string   `toml:"no-log"`     // reason to accept signatures that no log has seen
	NoSCT      string   `toml:"no-sct"`     // reason to accept certificates that no certificate log has seen
}

// Provenance holds the demands on signed statements about the artefact. One statement must meet all of them; where
// SignedBy is a group, as many statements as the group needs.
type Provenance struct {
	Witness
	SignedBy    string            `toml:"signed-by,required"` // group or principal
	Types       []string          `toml:"types"`              // names of typeNames or predicate types; SLSA provenance where nothing is said
	Repository  string            `toml:"repository"`
	Commit      string            `toml:"commit"`
	Ref         string            `toml:"ref"` // * stops at /
	Builder     string            `toml:"builder"`
	BuildType   string            `toml:"build-type"`
	Workflow    string            `toml:"workflow"`
	Trigger     string            `toml:"trigger"`
	SameName    bool              `toml:"same-name"` // the statement must call the artefact by its own name
	TrustedRoot string            `toml:"trusted-root"`
	Fields      map[string]string `toml:"fields"` // exact values by address, see docs/predicates.md

	Roots []byte // content of TrustedRoot, nil where none is named
}

// Demands lists name and wanted value of the demands on what a statement says, in the order of a report.
func (p *Provenance) Demands() []struct{ Name, Want string } {
	return []struct{ Name, Want string }{{"repository", p.Repository}, {"commit", p.Commit}, {"ref", p.Ref},
		{"builder", p.Builder}, {"build-type", p.BuildType}, {"workflow", p.Workflow}, {"trigger", p.Trigger}}
}

// RefFits tells whether a ref is the demanded one.
func (p *Provenance) RefFits(ref string) bool { return fits(p.Ref, ref) }

// check refuses demands that say nothing, could never hold, or would accept anyone.
func (p *Provenance) check(doc *tomlfile.Document, t *trust.Trust) error {
	if !t.Known(p.SignedBy) {
		return doc.Errorf("provenance.signed-by", "%q is neither a group nor a principal of this policy", p.SignedBy)
	}
	if err := p.Witness.check(doc, "provenance"); err != nil {
		return err
	}
	if !doc.Has("provenance.types") {
		p.Types = []string{"provenance"}
	}
	types, err := resolveTypes(p.Types)
	if err != nil {
		return at(doc, "provenance.types", err)
	}
	if p.Types = types; len(types) == 0 {
		return doc.Errorf("provenance.types", "names no type: nothing could be accepted")
	}
	return p.checkClaims(doc)
}

func (p *Provenance) checkClaims(doc *tomlfile.Document) error {
	for _, d := range p.Demands() {
		key := "provenance." + d.Name
		switch {
		case !doc.Has(key):
		case d.Want == "":
			return doc.Errorf(key, "it is empty: leave the key out where nothing is demanded")
		case len(d.Want) > maxText || !fault.Plain(d.Want):
			return doc.Errorf(key, "malformed %s", d.Name)
		}
	}
	if p.Commit != "" && !fullID(p.Commit) {
		return doc.Errorf("provenance.commit", "%q: need full commit id", p.Commit)
	}
	if p.Ref != "" && (!strings.HasPrefix(p.Ref, "refs/") || strings.ContainsAny(p.Ref, `?[]\{}`) || strings.Contains(p.Ref, "**")) {
		return doc.Errorf("provenance.ref", "malformed ref %q: want refs/…, in which only * is special and stops at /", p.Ref)
	}
	if u, err := url.Parse(p.Repository); p.Repository != "" && (err != nil || u.Scheme == "" || u.User != nil) {
		return doc.Errorf("provenance.repository", "unsupported URL: want one with a scheme and without credentials")
	}
	return p.checkFields(doc)
}

func (p *Provenance) checkFields(doc *tomlfile.Document) error {
	if len(p.Fields) > maxFields {
		return doc.Errorf("provenance.fields", "exceeds %d fields", maxFields)
	}
	addresses := make([]string, 0, len(p.Fields))
	for a := range p.Fields {
		addresses = append(addresses, a)
	}
	slices.Sort(addresses)
	for _, a := range addresses {
		where, name, _ := strings.Cut(a, ".")
		switch {
		case name == "" || where != "certificate" && where != "predicate" || len(a) > maxText || !fault.Plain(a):
			return doc.Errorf("provenance.fields", "%q is no address: want \"certificate.NAME\" or \"predicate.NAME…\"", a)
		case where == "certificate" && !slices.Contains(fulcio.Names(), name):
			return doc.Errorf("provenance.fields", "no certificate extension is called %q", name).WithHint("they are %s", strings.Join(fulcio.Names(), ", "))
		case len(p.Fields[a]) > maxText:
			return doc.Errorf("provenance.fields", "%q: value exceeds %d bytes", a, maxText)
		}
	}
	if len(p.Fields) == 0 && doc.Has("provenance.fields") {
		return doc.Errorf("provenance.fields", "names no field")
	}
	return nil
}

// check fills defaults: one log, unless it is given up in so many words.
func (w *Witness) check(doc *tomlfile.Document, table string) error {
	has := func(key string) bool { return doc.Has(table + "." + key) }
	for key, reason := range map[string]string{"no-log": w.NoLog, "no-sct": w.NoSCT} {
		if has(key) && strings.TrimSpace(reason) == "" {
			return doc.Errorf(table+"."+key, "reason required")
		}
	}
	if !has("require") {
		w.Require = []string{"log"}
		if w.NoLog != "" {
			w.Require = nil
		}
	}
	for i, word := range w.Require {
		if word != "log" && word != "timestamp" {
			return doc.Errorf(fmt.Sprintf("%s.require[%d]", table, i), "%q is not one of log, timestamp", word)
		}
	}
	log, stamp := slices.Contains(w.Require, "log"), slices.Contains(w.Require, "timestamp")
	switch {
	case log && w.NoLog != "":
		return doc.Errorf(table+".no-log", "contradicts require = [\"log\"]")
	case !log && w.NoLog == "":
		return doc.Errorf(table+".require", "demands no log").WithHint("a policy that gives up logs says so, with a reason: no-log = \"…\"")
	case has("logs") && !log, has("timestamps") && !stamp:
		return doc.Errorf(table+".require", "a number is given for what is not demanded")
	}
	return w.numbers(doc, table, log, stamp)
}

func (w *Witness) numbers(doc *tomlfile.Document, table string, log, stamp bool) error {
	for _, n := range []struct {
		key   string
		value *int64
		on    bool
	}{{"logs", &w.Logs, log}, {"timestamps", &w.Timestamps, stamp}} {
		if !n.on {
			continue
		}
		if !doc.Has(table + "." + n.key) {
			*n.value = 1
		}
		if *n.value < 1 || *n.value > maxWitnesses {
			return doc.Errorf(table+"."+n.key, "%d out of range 1–%d", *n.value, maxWitnesses)
		}
	}
	return nil
}
