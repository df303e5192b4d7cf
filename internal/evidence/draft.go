package evidence

import (
	"bytes"
	"fmt"
	"slices"

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
