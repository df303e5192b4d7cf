package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Results and levels of a verification summary, and the SLSA version that it is written for.
const (
	SummaryPassed    = "PASSED"
	SummaryFailed    = "FAILED"
	LevelUnevaluated = "SLSA_BUILD_LEVEL_UNEVALUATED"
	LevelReproduced  = "GLASSBUILD_REPRODUCED"
	SLSAVersion      = "1.2"
)

// Summary is a SLSA verification summary v1: somebody's verdict on one artefact. Ours also says what was rebuilt, in
// the extension field glassbuild_rebuild.
type Summary struct {
	Verifier Verifier         `json:"verifier"`
	Time     time.Time        `json:"-"`
	Resource string           `json:"resourceUri"`
	Policy   PolicyReference  `json:"policy"`
	Inputs   []InputStatement `json:"inputAttestations,omitempty"`
	Result   string           `json:"verificationResult"`
	Levels   []string         `json:"verifiedLevels"`
	Version  string           `json:"slsaVersion,omitempty"`
	Rebuild  *Rebuild         `json:"glassbuild_rebuild,omitempty"`
	Verdict  *Sealed          `json:"glassbuild_verdict,omitempty"`
}

// Sealed binds the verdict that the summary sums up, see package redact.
type Sealed struct {
	Root string `json:"rootSha256"`
}

// Verifier names who judged.
type Verifier struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// PolicyReference names what was judged by.
type PolicyReference struct {
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

// InputStatement names evidence that was used.
type InputStatement struct {
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest"`
}

// Rebuild is what a verifier built itself and held against the artefact. It makes a summary a vote: it says all that
// must equal one's own rebuild before it may be counted, and the policy digest stands in the summary.
type Rebuild struct {
	Match      string `json:"match"`                // identical, equivalent, partial, different
	Repository string `json:"repository,omitempty"` // as named
	Commit     string `json:"commit"`               // full id
	Tree       string `json:"treeSha256"`           // digest of the exported tree
	Recipe     string `json:"recipeSha256"`
	Builder    string `json:"builderSha256"`
	Runs       int64  `json:"runs"`
	// Expires is when the verifier stops standing behind the summary; the zero time is never.
	Expires time.Time `json:"-"`
}

// MarshalJSON writes the members in the form in which they are signed.
func (r Rebuild) MarshalJSON() ([]byte, error) {
	type plain Rebuild
	out := struct {
		plain
		Expires string `json:"expires,omitempty"`
	}{plain: plain(r)}
	if !r.Expires.IsZero() {
		out.Expires = Timestamp(r.Expires)
	}
	return json.Marshal(out)
}

// check refuses a summary that says nothing or contradicts itself.
func (s *Summary) check() error {
	switch {
	case s.Verifier.ID == "":
		return errors.New("verifier.id is missing")
	case s.Result != SummaryPassed && s.Result != SummaryFailed:
		return fmt.Errorf("verificationResult is %q, want PASSED or FAILED", cut(s.Result))
	case s.Time.IsZero():
		return errors.New("timeVerified is missing")
	case s.Resource == "":
		return errors.New("resourceUri is missing")
	}
	if s.Verdict != nil {
		if err := checkDigest("sha256", s.Verdict.Root); err != nil {
			return in("glassbuild_verdict", err)
		}
	}
	if r := s.Rebuild; r != nil {
		for name, sum := range map[string]string{"treeSha256": r.Tree, "recipeSha256": r.Recipe, "builderSha256": r.Builder} {
			if err := checkDigest("sha256", sum); err != nil {
				return in(name, err)
			}
		}
		if err := checkDigest("gitCommit", r.Commit); err != nil {
			return in("commit", err)
		}
		if !r.Expires.IsZero() && !r.Expires.After(s.Time) {
			return errors.New("expires before it was verified")
		}
		if s.Result == SummaryPassed && (r.Match == "different" || r.Match == "") || r.Runs < 2 {
			return errors.New("glassbuild_rebuild contradicts the result")
		}
	}
	return nil
}

// Marshal returns the statement of the summary about one subject.
func (s *Summary) Marshal(subject Resource) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, fault.Usagef("verification summary", "%w", err)
	}
	for _, l := range s.Levels {
		if l != LevelUnevaluated && l != LevelReproduced {
			return nil, fault.Usagef("verification summary", "level %q is not ours to give", cut(l))
		}
	}
	type plain Summary
	return Marshal(PredicateSummary, struct {
		plain
		TimeVerified string `json:"timeVerified"`
	}{plain(*s), Timestamp(s.Time)}, subject)
}

// Summary reads the predicate as a verification summary.
func (s *Statement) Summary() (*Summary, error) {
	if err := s.of(PredicateSummary); err != nil {
		return nil, err
	}
	if s.predicate.Absent() {
		return nil, errors.New("is missing")
	}
	var r reader
	o := r.object(s.predicate, "predicate", "verifier", "timeVerified", "resourceUri", "policy", "inputAttestations",
		"verificationResult", "verifiedLevels", "dependencyLevels", "slsaVersion", "glassbuild_rebuild", "glassbuild_verdict")
	verifier := r.object(o.Get("verifier"), "verifier", "id", "version")
	policy := r.object(o.Get("policy"), "policy", "uri", "digest")
	out := &Summary{
		Verifier: Verifier{ID: r.text(verifier.Get("id"), "verifier.id"), Version: r.textMap(verifier.Get("version"), "verifier.version")},
		Time:     r.time(o.Get("timeVerified"), "timeVerified"), Resource: r.text(o.Get("resourceUri"), "resourceUri"),
		Policy: PolicyReference{URI: r.text(policy.Get("uri"), "policy.uri"), Digest: r.digests(policy.Get("digest"), "policy.digest")},
		Result: r.text(o.Get("verificationResult"), "verificationResult"), Levels: r.texts(o.Get("verifiedLevels"), "verifiedLevels"),
		Version: r.text(o.Get("slsaVersion"), "slsaVersion"),
	}
	for _, i := range r.resources(o.Get("inputAttestations"), "inputAttestations") {
		out.Inputs = append(out.Inputs, InputStatement{i.URI, i.Digest})
	}
	out.Rebuild = r.rebuild(o.Get("glassbuild_rebuild"))
	if v := o.Get("glassbuild_verdict"); !v.Absent() {
		out.Verdict = &Sealed{r.text(r.object(v, "glassbuild_verdict", "rootSha256").Get("rootSha256"), "glassbuild_verdict")}
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, out.check()
}

func (r *reader) rebuild(v strictjson.Value) *Rebuild {
	if v.Absent() {
		return nil
	}
	const name = "glassbuild_rebuild"
	o := r.object(v, name, "match", "repository", "commit", "treeSha256", "recipeSha256", "builderSha256", "runs", "expires")
	runs, err := optionalInt(o.Get("runs"))
	r.keep(name, err)
	return &Rebuild{Match: r.text(o.Get("match"), name), Repository: r.text(o.Get("repository"), name), Commit: r.text(o.Get("commit"), name),
		Tree: r.text(o.Get("treeSha256"), name), Recipe: r.text(o.Get("recipeSha256"), name), Builder: r.text(o.Get("builderSha256"), name), Runs: runs,
		Expires: r.time(o.Get("expires"), name+".expires")}
}

func (r *reader) digests(v strictjson.Value, name string) map[string]string {
	if v.Absent() {
		return nil
	}
	d, err := readDigests(v)
	r.keep(name, err)
	return d
}

func (r *reader) textMap(v strictjson.Value, name string) map[string]string {
	if v.Absent() {
		return nil
	}
	members, err := v.Members()
	r.keep(name, err)
	if len(members) > MaxDigests {
		r.keep(name, fmt.Errorf("%d members, at most %d", len(members), MaxDigests))
		return nil
	}
	out := map[string]string{}
	for _, m := range members {
		out[m.Name] = r.text(m.Value, name)
	}
	return out
}
