package evidence

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// Certificate is what a signer's certificate says, on the word of its authority.
type Certificate struct {
	Identity   string            `json:"identity"`             // the one subject: an address, a URI or Fulcio's other name
	Issuer     string            `json:"issuer,omitempty"`     // OIDC issuer, "" in certificates that are not Fulcio's
	Extensions map[string]string `json:"extensions,omitempty"` // Fulcio's, by the names in docs/predicates.md
	SHA256     string            `json:"sha256"`               // of the certificate in DER
}

// fulcioNames are the names of Fulcio's certificate extensions (fulcio, docs/oid-info.md) by the last number of their
// identifier 1.3.6.1.4.1.57264.1.N. The first six hold bare text, the later ones a UTF8String.
var fulcioNames = map[int]string{
	1: "issuer-v1", 2: "github-workflow-trigger", 3: "github-workflow-sha", 4: "github-workflow-name",
	5: "github-workflow-repository", 6: "github-workflow-ref",
	8: "issuer", 9: "build-signer-uri", 10: "build-signer-digest", 11: "runner-environment",
	12: "source-repository-uri", 13: "source-repository-digest", 14: "source-repository-ref",
	15: "source-repository-identifier", 16: "source-repository-owner-uri", 17: "source-repository-owner-identifier",
	18: "build-config-uri", 19: "build-config-digest", 20: "build-trigger", 21: "run-invocation-uri",
	22: "source-repository-visibility-at-signing",
}

// bareText is the last extension that holds bare text.
const bareText = 6

var (
	oidFulcio    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}
	oidOtherName = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7}
	oidSubject   = asn1.ObjectIdentifier{2, 5, 29, 17}

	errSubject = errors.New("malformed subject alternative name")
)

// describe reads the subject and Fulcio's extensions. What is damaged, contradicts itself or names several parties
// makes the certificate unusable.
func describe(c *x509.Certificate) (*Certificate, error) {
	out := &Certificate{Extensions: map[string]string{}, SHA256: hexSum(c.Raw)}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidSubject) {
			var err error
			if out.Identity, err = soleSubject(e.Value); err != nil {
				return nil, err
			}
		}
		if len(e.Id) == len(oidFulcio)+1 && e.Id[:len(oidFulcio)].Equal(oidFulcio) {
			if err := out.extension(e.Id[len(oidFulcio)], e.Value); err != nil {
				return nil, err
			}
		}
	}
	if out.Identity == "" {
		return nil, errors.New("names nobody")
	}
	old, issuer := out.Extensions["issuer-v1"], out.Extensions["issuer"]
	if old != "" && issuer != "" && old != issuer {
		return nil, errors.New("names two issuers")
	}
	if out.Issuer = issuer; issuer == "" {
		out.Issuer = old
	}
	return out, nil
}

func (c *Certificate) extension(number int, value []byte) error {
	name, ok := fulcioNames[number]
	if !ok {
		return nil
	}
	text := string(value)
	if number > bareText {
		input := cryptobyte.String(value)
		var inner cryptobyte.String
		if !input.ReadASN1(&inner, der.UTF8String) || !input.Empty() {
			return fmt.Errorf("malformed extension %s", name)
		}
		text = string(inner)
	}
	if text == "" || len(text) > MaxName || !utf8.ValidString(text) {
		return fmt.Errorf("malformed extension %s", name)
	}
	c.Extensions[name] = text // crypto/x509 refuses an extension that stands twice
	return nil
}

// soleSubject returns the one name, as the very bytes of the certificate: a parsed URL may print differently.
func soleSubject(value []byte) (string, error) {
	input := cryptobyte.String(value)
	var names cryptobyte.String
	if !input.ReadASN1(&names, der.SEQUENCE) || !input.Empty() || names.Empty() {
		return "", errSubject
	}
	var name cryptobyte.String
	var tag der.Tag
	if !names.ReadAnyASN1(&name, &tag) {
		return "", errSubject
	}
	if !names.Empty() {
		return "", errors.New("names several parties")
	}
	text := string(name)
	switch tag {
	case der.Tag(1).ContextSpecific(), der.Tag(6).ContextSpecific(): // rfc822Name, uniformResourceIdentifier
	case der.Tag(0).ContextSpecific().Constructed():
		var oid asn1.ObjectIdentifier
		var wrapped, inner cryptobyte.String
		if !name.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidOtherName) ||
			!name.ReadASN1(&wrapped, der.Tag(0).ContextSpecific().Constructed()) || !name.Empty() ||
			!wrapped.ReadASN1(&inner, der.UTF8String) || !wrapped.Empty() {
			return "", errSubject
		}
		text = string(inner)
	default:
		return "", errors.New("names neither an address nor a URI")
	}
	if text == "" || len(text) > MaxName || !utf8.ValidString(text) {
		return "", errSubject
	}
	return text, nil
}

// usable returns leaf as crypto/x509 can verify it: it does not know Fulcio's other name, which describe has read.
func usable(leaf *x509.Certificate) *x509.Certificate {
	if len(leaf.UnhandledCriticalExtensions) == 0 {
		return leaf
	}
	c := *leaf
	c.UnhandledCriticalExtensions = nil
	for _, id := range leaf.UnhandledCriticalExtensions {
		if !id.Equal(oidSubject) {
			c.UnhandledCriticalExtensions = append(c.UnhandledCriticalExtensions, id)
		}
	}
	return &c
}
