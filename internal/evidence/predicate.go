package evidence

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Predicate types that are understood. Of other types the caller gets the predicate as it was signed.
const (
	PredicateProvenanceV1  = "https://slsa.dev/provenance/v1"                                  // read and written
	PredicateProvenanceV02 = "https://slsa.dev/provenance/v0.2"                                // read
	PredicateSummary       = "https://slsa.dev/verification_summary/v1"                        // read and written
	PredicateTestResult    = "https://in-toto.io/attestation/test-result/v0.1"                 // read and written
	PredicateNPMPublish    = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1" // read
	PredicateSPDX          = "https://spdx.dev/Document/v2.3"                                  // written
	PredicateCycloneDX     = "https://cyclonedx.org/bom"                                       // written
	PredicateWithdrawal    = "https://github.com/glassbuild/glassbuild/docs/withdrawal/v1"     // read and written
	BuildType              = "https://github.com/glassbuild/glassbuild/docs/build/v1"          // of our own provenance
	BuilderID              = "https://github.com/glassbuild/glassbuild/docs/builder/v1"        // where the caller names no other
	VerifierID             = "https://github.com/glassbuild/glassbuild/docs/verifier/v1"       // where the caller names no other
)

// readable refuses a predicate that is of a known type and does not read as such (cosign CVE-2022-35929, CVE-2026-39395).
func readable(s *Statement) error {
	var err error
	switch s.PredicateType {
	case PredicateProvenanceV1, PredicateProvenanceV02:
		_, err = s.Provenance()
	case PredicateSummary:
		_, err = s.Summary()
	case PredicateTestResult:
		_, err = s.TestResult()
	case PredicateNPMPublish:
		_, err = s.NPMPublish()
	case PredicateWithdrawal:
		_, err = s.Withdrawal()
	}
	return in("malformed predicate", err)
}

func (s *Statement) of(types ...string) error {
	for _, t := range types {
		if s.PredicateType == t {
			return nil
		}
	}
	return fmt.Errorf("predicate is %q, want %q", cut(s.PredicateType), types[0])
}

// Marshal returns a statement about subjects as it is signed: RFC 8785 canonical JSON, so that the same values are the
// same bytes. Every subject needs a name and a sha256.
func Marshal(predicateType string, predicate any, subjects ...Resource) ([]byte, error) {
	if predicateType == "" || len(subjects) == 0 || len(subjects) > MaxSubjects {
		return nil, fault.Usagef("statement", "needs a predicate type and 1 to %d subjects", MaxSubjects)
	}
	for _, r := range subjects {
		if r.Name == "" || r.Digest["sha256"] == "" {
			return nil, fault.Usagef("statement", "every subject needs a name and a sha256")
		}
		for algorithm, text := range r.Digest {
			if err := checkDigest(algorithm, text); err != nil {
				return nil, fault.Usagef("statement", "%w", err)
			}
		}
	}
	return Canonical(struct {
		Type          string     `json:"_type"`
		Subject       []Resource `json:"subject"`
		PredicateType string     `json:"predicateType"`
		Predicate     any        `json:"predicate"`
	}{StatementV1, subjects, predicateType, predicate})
}

// Canonical returns v as RFC 8785 canonical JSON.
func Canonical(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err == nil {
		data, err = jcs.Transform(data)
	}
	if err != nil {
		return nil, fault.Failf("statement", "cannot be written: %w", err)
	}
	return data, nil
}

// Timestamp is a time as predicates write it: RFC 3339 in UTC, whole seconds.
func Timestamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// reader collects the first error of a list of reads.
type reader struct{ err error }

func (r *reader) text(v strictjson.Value, name string) string {
	s, err := optionalText(v)
	r.keep(name, err)
	return s
}

func (r *reader) must(v strictjson.Value, name string) string {
	s := r.text(v, name)
	if s == "" {
		r.keep(name, fmt.Errorf("is missing"))
	}
	return s
}

func (r *reader) time(v strictjson.Value, name string) time.Time {
	s := r.text(v, name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	r.keep(name, err)
	return t.UTC()
}

func (r *reader) texts(v strictjson.Value, name string) []string {
	if v.Absent() {
		return nil
	}
	list, err := r.list(v, name)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range list {
		s, err := e.Text()
		r.keep(name, err)
		out = append(out, s)
	}
	return out
}

func (r *reader) resources(v strictjson.Value, name string) []Resource {
	if v.Absent() {
		return nil
	}
	list, err := r.list(v, name)
	if err != nil {
		return nil
	}
	out := make([]Resource, 0, len(list))
	for _, e := range list {
		one, err := readResource(e)
		r.keep(name, err)
		if err != nil {
			return nil
		}
		out = append(out, one)
	}
	return out
}

func (r *reader) list(v strictjson.Value, name string) ([]strictjson.Value, error) {
	if n := v.Count(); n > MaxDependencies {
		err := fmt.Errorf("%d elements, at most %d", n, MaxDependencies)
		r.keep(name, err)
		return nil, err
	}
	list, err := v.Elements()
	r.keep(name, err)
	return list, err
}

// object opens a member that must be an object; a missing one reads as empty.
func (r *reader) object(v strictjson.Value, name string, known ...string) strictjson.Object {
	if v.Absent() {
		return strictjson.Object{}
	}
	o, err := v.Open(known...)
	r.keep(name, err)
	return o
}

func (r *reader) keep(name string, err error) {
	if err != nil && r.err == nil {
		r.err = in(name, err)
	}
}
