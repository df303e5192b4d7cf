package evidence

import (
	"crypto/x509"
	"errors"

	"github.com/glassbuild/glassbuild/internal/trust/fulcio"
)

// Certificate is what a signer's certificate says, on the word of its authority.
type Certificate struct {
	Identity   string            `json:"identity"`             // the one subject: an address, a URI or Fulcio's other name
	Issuer     string            `json:"issuer,omitempty"`     // OIDC issuer, "" in certificates that are not Fulcio's
	Extensions map[string]string `json:"extensions,omitempty"` // Fulcio's, by the names in docs/predicates.md
	SHA256     string            `json:"sha256"`               // of the certificate in DER
}

// describe reads the subject and Fulcio's extensions. What is damaged, contradicts itself or names several parties
// makes the certificate unusable.
func describe(c *x509.Certificate) (*Certificate, error) {
	said, err := fulcio.Read(c)
	switch {
	case err != nil:
		return nil, err
	case len(said.Subjects)+said.Others > 1:
		return nil, errors.New("names several parties")
	case len(said.Subjects) == 0 && said.Others > 0:
		return nil, errors.New("names neither an address nor a URI")
	case len(said.Subjects) == 0:
		return nil, errors.New("names nobody")
	}
	return &Certificate{Identity: said.Subjects[0], Issuer: said.Issuer, Extensions: said.Extensions, SHA256: hexSum(c.Raw)}, nil
}

// usable returns leaf as crypto/x509 can verify it: it does not know Fulcio's other name, which describe has read.
func usable(leaf *x509.Certificate) *x509.Certificate {
	if len(leaf.UnhandledCriticalExtensions) == 0 {
		return leaf
	}
	c := *leaf
	c.UnhandledCriticalExtensions = fulcio.Unhandled(leaf)
	return &c
}
