// Package fulcio reads what a certificate says of its holder: the subject alternative names, and the extensions that
// Fulcio writes about the workload that signed (fulcio, docs/oid-info.md; RFC 5280, section 4.2.1.6).
//
// It promises that a certificate has one reading: what is damaged or contradicts itself makes the whole certificate
// unusable, and names are the very bytes of the certificate, for a parsed URL may print differently. Who is believed is
// not decided here.
package fulcio

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits on what a certificate may say.
const (
	// MaxNames bounds the subject alternative names.
	MaxNames = 256
	// MaxText bounds one name or one value of an extension.
	MaxText = 16 << 10
)

// Certificate is what a certificate says, on the word of its authority.
type Certificate struct {
	Subjects   []string          // e-mail addresses, URIs and Fulcio's other names
	Others     int               // names of other kinds, which stand for nobody
	Issuer     string            // OIDC issuer, "" in certificates that are not Fulcio's
	Extensions map[string]string // Fulcio's, by name
}

// extension is one of Fulcio's extensions 1.3.6.1.4.1.57264.1.N.
type extension struct {
	number int
	name   string
}

// extensions are listed by N. The first six hold bare text, the later ones a UTF8String.
var extensions = []extension{
	{1, "issuer-v1"}, {2, "github-workflow-trigger"}, {3, "github-workflow-sha"}, {4, "github-workflow-name"},
	{5, "github-workflow-repository"}, {6, "github-workflow-ref"},
	{8, "issuer"}, {9, "build-signer-uri"}, {10, "build-signer-digest"}, {11, "runner-environment"},
	{12, "source-repository-uri"}, {13, "source-repository-digest"}, {14, "source-repository-ref"},
	{15, "source-repository-identifier"}, {16, "source-repository-owner-uri"}, {17, "source-repository-owner-identifier"},
	{18, "build-config-uri"}, {19, "build-config-digest"}, {20, "build-trigger"}, {21, "run-invocation-uri"},
	{22, "source-repository-visibility-at-signing"},
}

// bareText is the last extension that holds bare text.
const bareText = 6

// Names returns the names of the extensions, in the order of their numbers.
func Names() []string {
	var out []string
	for _, e := range extensions {
		out = append(out, e.name)
	}
	return out
}

var (
	arc          = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}
	oidOtherName = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7}
	oidSubject   = asn1.ObjectIdentifier{2, 5, 29, 17}

	errSubject = errors.New("malformed subject alternative name")
)

// Read reads names and extensions.
func Read(c *x509.Certificate) (*Certificate, error) {
	out := &Certificate{Extensions: map[string]string{}}
	for _, e := range c.Extensions {
		switch {
		case e.Id.Equal(oidSubject):
			if err := out.names(e.Value); err != nil {
				return nil, err
			}
		case len(e.Id) == len(arc)+1 && e.Id[:len(arc)].Equal(arc):
			if err := out.extension(e.Id[len(arc)], e.Value); err != nil {
				return nil, err
			}
		}
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
	i := slices.IndexFunc(extensions, func(e extension) bool { return e.number == number })
	if i < 0 {
		return nil
	}
	name, text := extensions[i].name, string(value)
	if number > bareText {
		input := cryptobyte.String(value)
		var inner cryptobyte.String
		if !input.ReadASN1(&inner, der.UTF8String) || !input.Empty() {
			return fmt.Errorf("malformed extension %s", name)
		}
		text = string(inner)
	}
	if text == "" || len(text) > MaxText || !utf8.ValidString(text) {
		return fmt.Errorf("malformed extension %s", name)
	}
	if _, twice := c.Extensions[name]; twice {
		return fmt.Errorf("extension %s given twice", name)
	}
	c.Extensions[name] = text
	return nil
}

// names reads addresses, URIs and the other names that Fulcio writes for identities that are neither.
func (c *Certificate) names(value []byte) error {
	input := cryptobyte.String(value)
	var list cryptobyte.String
	if !input.ReadASN1(&list, der.SEQUENCE) || !input.Empty() || list.Empty() {
		return errSubject
	}
	for !list.Empty() {
		var name cryptobyte.String
		var tag der.Tag
		if !list.ReadAnyASN1(&name, &tag) {
			return errSubject
		}
		text := string(name)
		switch tag {
		case der.Tag(1).ContextSpecific(), der.Tag(6).ContextSpecific(): // rfc822Name, uniformResourceIdentifier
		case der.Tag(0).ContextSpecific().Constructed():
			var err error
			if text, err = otherName(name); err != nil {
				return err
			}
			if text == "" {
				c.Others++
				continue
			}
		default:
			c.Others++
			continue
		}
		if text == "" || len(text) > MaxText || !utf8.ValidString(text) {
			return errSubject
		}
		if c.Subjects = append(c.Subjects, text); len(c.Subjects)+c.Others > MaxNames {
			return fmt.Errorf("exceeds %d subjects", MaxNames)
		}
	}
	return nil
}

// otherName returns Fulcio's other name, "" for those of others.
func otherName(name cryptobyte.String) (string, error) {
	var oid asn1.ObjectIdentifier
	var wrapped, text cryptobyte.String
	if !name.ReadASN1ObjectIdentifier(&oid) {
		return "", errSubject
	}
	if !oid.Equal(oidOtherName) {
		return "", nil
	}
	if !name.ReadASN1(&wrapped, der.Tag(0).ContextSpecific().Constructed()) || !name.Empty() ||
		!wrapped.ReadASN1(&text, der.UTF8String) || !wrapped.Empty() || len(text) == 0 {
		return "", errSubject
	}
	return string(text), nil
}

// Unhandled returns the critical extensions that neither the standard library nor this package reads. The library leaves
// a subject alternative name unhandled when it holds nothing but other names.
func Unhandled(c *x509.Certificate) []asn1.ObjectIdentifier {
	if len(c.UnhandledCriticalExtensions) == 0 {
		return c.UnhandledCriticalExtensions
	}
	said, err := Read(c)
	if err != nil || len(said.Subjects) == 0 {
		return c.UnhandledCriticalExtensions
	}
	return slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions), oidSubject.Equal)
}
