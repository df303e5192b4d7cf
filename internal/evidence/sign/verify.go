package sign

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// verify reads back what was made, as every reader will, and holds it against the trusted root: a service that answers
// with something else than the trusted root promises must be noticed here, not by the customer.
func (s *Signer) verify(data, content []byte, message bool) error {
	b, err := evidence.Parse("new bundle", data)
	if err != nil || s.trusted == nil {
		return err
	}
	who := trust.Principal{Name: "signer", Identity: b.Claim("certificate.identity"), Issuer: b.Claim("certificate.issuer")}
	if s.opt.Key != nil {
		who = trust.Principal{Name: "signer", PublicKeys: [][]byte{s.opt.Key.PublicPEM()}}
	}
	known, err := trust.New([]trust.Principal{who}, nil)
	if err != nil {
		return fault.Failf("new bundle", "cannot be verified: %w", err)
	}
	opt := evidence.Options{Trust: known, Roots: s.trusted, Now: time.Now(), Subject: subject(content, message), Expect: evidence.Expect{Message: message},
		// an instance need not run a certificate log, and the trusted root of one that does is the customer's to demand it
		Require: evidence.Require{Logs: len(s.logs), Timestamps: len(s.stamps), NoLog: len(s.logs) == 0, NoSCT: true}}
	if !message {
		opt.Expect.Predicates = []string{b.Hint().Predicate}
	}
	if _, err := evidence.Verify(b, opt); err != nil {
		return fault.Failf("new bundle", "does not verify: %s", fault.Quote(shorten(err.Error()))).
			WithHint("signing config and trusted root belong to different instances, or a service is not what it says")
	}
	return nil
}

// subject is what was signed: the artefact, or the first one that the statement is about.
func subject(content []byte, message bool) *evidence.Subject {
	if message {
		return &evidence.Subject{Digests: map[string]string{"sha256": hexSum(content)}, Content: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
	}
	var statement struct {
		Subject []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal(content, &statement); err != nil || len(statement.Subject) == 0 {
		return nil
	}
	return &evidence.Subject{Digests: map[string]string{"sha256": statement.Subject[0].Digest["sha256"]}}
}
