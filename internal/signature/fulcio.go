package signature

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
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

// fulcioArc is the arc of Fulcio's certificate extensions.
var fulcioArc = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}

// fulcioNames are the extensions' names by the last number of their identifier. The first six hold bare text, the
// later ones a UTF8String.
var fulcioNames = map[int]string{
	1: "issuer-v1", 2: "github-workflow-trigger", 3: "github-workflow-sha", 4: "github-workflow-name",
	5: "github-workflow-repository", 6: "github-workflow-ref",
	8: "issuer", 9: "build-signer-uri", 10: "build-signer-digest", 11: "runner-environment",
	12: "source-repository-uri", 13: "source-repository-digest", 14: "source-repository-ref",
	15: "source-repository-identifier", 16: "source-repository-owner-uri", 17: "source-repository-owner-identifier",
	18: "build-config-uri", 19: "build-config-digest", 20: "build-trigger", 21: "run-invocation-uri",
	22: "source-repository-visibility-at-signing",
}

const fulcioBare = 6 // extensions up to this number hold bare text

var (
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidFulcioOtherName = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7}
)

// describeCertificate reads subjects and Fulcio's extensions. An extension that is damaged or contradicts another
// makes the whole certificate unusable.
func describeCertificate(c *x509.Certificate) (*Certificate, error) {
	out := &Certificate{DN: c.Subject.String(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Raw: c.Raw}
	for _, e := range c.Extensions {
		switch {
		case e.Id.Equal(oidSubjectAltName):
			names, err := subjectNames(e.Value)
			if err != nil {
				return nil, err
			}
			out.Subjects = append(out.Subjects, names...)
		case len(e.Id) == len(fulcioArc)+1 && e.Id[:len(fulcioArc)].Equal(fulcioArc):
			if err := out.fulcio(e.Id[len(fulcioArc)], e.Value); err != nil {
				return nil, err
			}
		}
	}
	if len(out.Subjects) > MaxNames {
		return nil, fmt.Errorf("exceeds %d subjects", MaxNames)
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

func (c *Certificate) fulcio(number int, value []byte) error {
	name, ok := fulcioNames[number]
	if !ok {
		return nil
	}
	text := string(value)
	if number > fulcioBare {
		input := cryptobyte.String(value)
		var inner cryptobyte.String
		if !input.ReadASN1(&inner, der.UTF8String) || !input.Empty() {
			return fmt.Errorf("malformed extension %s", name)
		}
		text = string(inner)
	}
	if text == "" || !utf8.ValidString(text) {
		return fmt.Errorf("malformed extension %s", name)
	}
	if c.Extensions == nil {
		c.Extensions = map[string]string{}
	}
	if _, twice := c.Extensions[name]; twice {
		return fmt.Errorf("extension %s given twice", name)
	}
	c.Extensions[name] = text
	return nil
}

// subjectNames returns addresses, URIs and the other names that Fulcio writes for identities that are neither, as the
// very bytes of the certificate: the parsed URL of the standard library may read differently when printed.
func subjectNames(value []byte) ([]string, error) {
	input := cryptobyte.String(value)
	var names cryptobyte.String
	if !input.ReadASN1(&names, der.SEQUENCE) || !input.Empty() {
		return nil, errSubjects
	}
	var out []string
	for !names.Empty() {
		var name cryptobyte.String
		var tag der.Tag
		if !names.ReadAnyASN1(&name, &tag) {
			return nil, errSubjects
		}
		text := string(name)
		switch tag {
		case addressTag, uriTag:
		case contextTag(0):
			var err error
			if text, err = otherName(name); err != nil {
				return nil, err
			}
			if text == "" {
				continue
			}
		default:
			continue
		}
		if text == "" || !utf8.ValidString(text) {
			return nil, errSubjects
		}
		out = append(out, text)
	}
	return out, nil
}

var errSubjects = errors.New("malformed subject alternative name")

// GeneralName's choices (RFC 5280, section 4.2.1.6).
var (
	addressTag = der.Tag(1).ContextSpecific()
	uriTag     = der.Tag(6).ContextSpecific()
)

// otherName returns Fulcio's other name, "" for those of others.
func otherName(name cryptobyte.String) (string, error) {
	var oid asn1.ObjectIdentifier
	var wrapped, text cryptobyte.String
	if !name.ReadASN1ObjectIdentifier(&oid) {
		return "", errSubjects
	}
	if !oid.Equal(oidFulcioOtherName) {
		return "", nil
	}
	if !name.ReadASN1(&wrapped, contextTag(0)) || !name.Empty() || !wrapped.ReadASN1(&text, der.UTF8String) || !wrapped.Empty() || len(text) == 0 {
		return "", errSubjects
	}
	return string(text), nil
}

// unhandled returns the critical extensions that neither the standard library nor this package reads. The library
// leaves a subject alternative name unhandled when it holds nothing but other names.
func unhandled(c *x509.Certificate) []asn1.ObjectIdentifier {
	names, err := describeCertificate(c)
	if err != nil || len(names.Subjects) == 0 {
		return c.UnhandledCriticalExtensions
	}
	return slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions), oidSubjectAltName.Equal)
}
