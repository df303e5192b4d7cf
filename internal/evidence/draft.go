package evidence

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Draft is a statement of our own that nobody has signed yet. It is worth nothing to a reader.
type Draft struct {
	PredicateType string
	Subject       []Resource
	SHA256        string // of the payload, by which a Withdrawal names it
}

// writable are the predicate types that are written, see docs/predicates.md.
var writable = []string{PredicateProvenanceV1, PredicateSummary, PredicateTestResult, PredicateSPDX, PredicateCycloneDX, PredicateWithdrawal}

// ReadDraft reads a statement before it is signed: it must be one that Marshal could have written, byte for byte.
func ReadDraft(payload []byte) (*Draft, error) {
	s, err := parseStatement(payload)
	if err == nil {
		err = readable(s)
	}
	if err != nil {
		return nil, fault.Failf("statement", "%w", err)
	}
	again, err := jcs.Transform(payload)
	switch {
	case err != nil || !bytes.Equal(again, payload):
		return nil, fault.Failf("statement", "is not in canonical form")
	case s.Type != StatementV1 || !slices.Contains(writable, s.PredicateType):
		return nil, fault.Failf("statement", "is of a type that is not written here: %w", fmt.Errorf("%q", cut(s.PredicateType)))
	}
	return &Draft{s.PredicateType, s.Subject, s.sum}, nil
}

// Withdraw returns the statement by which the signer of b takes it back, and the artefact that it speaks of; by, if any,
// takes its place and must speak of the same artefact. Neither is verified: a withdrawal counts only if whoever signs it
// is who signed b.
func Withdraw(b, by *Bundle, reason string, at time.Time) (payload []byte, subject Resource, err error) {
	s, err := drafted(b)
	if err != nil {
		return nil, subject, err
	}
	for _, r := range s.Subject {
		if r.Name != "" && r.Digest["sha256"] != "" {
			subject = Resource{Name: r.Name, Digest: map[string]string{"sha256": r.Digest["sha256"]}}
			break
		}
	}
	if subject.Name == "" {
		return nil, subject, b.fail("names no artefact by name and sha256")
	}
	w := &Withdrawal{Statement: s.sum, Reason: reason, Time: at}
	if by != nil {
		next, err := drafted(by)
		if err != nil {
			return nil, subject, err
		}
		if !slices.ContainsFunc(next.Subject, func(r Resource) bool { return r.Digest["sha256"] == subject.Digest["sha256"] }) {
			return nil, subject, by.fail("speaks of another artefact")
		}
		w.Superseded = next.sum
	}
	payload, err = w.Marshal(subject)
	return payload, subject, err
}

// drafted reads the statement in a bundle for its signer's own use.
func drafted(b *Bundle) (*Statement, error) {
	if b == nil || b.envelope == nil {
		return nil, fault.Usagef("bundle", "holds no statement")
	}
	s, err := b.payload()
	if err != nil {
		return nil, b.fail("%w", err)
	}
	return s, nil
}
