package signature

import (
	"crypto/x509"
	"time"

	"github.com/glassbuild/glassbuild/internal/trust/fulcio"
)

// Certificate is what a signer's certificate says. It says it on the word of its authority; whether that is known is
// for the Result's status to tell.
type Certificate struct {
	Subjects   []string          `json:"subjects"`             // e-mail addresses, URIs and Fulcio's other names
	Issuer     string            `json:"issuer,omitempty"`     // OIDC issuer, "" in certificates that are not Fulcio's
	Extensions map[string]string `json:"extensions,omitempty"` // Fulcio's, by name
	DN         string            `json:"dn,omitempty"`
	NotBefore  time.Time         `json:"notBefore"`
	NotAfter   time.Time         `json:"notAfter"`
	Raw        []byte            `json:"-"`
}

// describeCertificate reads subjects and Fulcio's extensions.
func describeCertificate(c *x509.Certificate) (*Certificate, error) {
	said, err := fulcio.Read(c)
	if err != nil {
		return nil, err
	}
	return &Certificate{Subjects: said.Subjects, Issuer: said.Issuer, Extensions: said.Extensions,
		DN: c.Subject.String(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Raw: c.Raw}, nil
}
