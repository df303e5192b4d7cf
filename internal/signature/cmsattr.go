package signature

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

var cmsDigests = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// cmsSignatures maps signatureAlgorithm to arithmetic and the digest that it fixes; zero: whatever digestAlgorithm says.
var cmsSignatures = map[string]struct {
	scheme cmsScheme
	hash   crypto.Hash
}{
	"1.2.840.113549.1.1.1":  {schemeRSA, 0},
	"1.2.840.113549.1.1.11": {schemeRSA, crypto.SHA256},
	"1.2.840.113549.1.1.12": {schemeRSA, crypto.SHA384},
	"1.2.840.113549.1.1.13": {schemeRSA, crypto.SHA512},
	"1.2.840.10045.4.3.2":   {schemeECDSA, crypto.SHA256},
	"1.2.840.10045.4.3.3":   {schemeECDSA, crypto.SHA384},
	"1.2.840.10045.4.3.4":   {schemeECDSA, crypto.SHA512},
	"1.3.101.112":           {schemeEd25519, crypto.SHA512}, // RFC 8419, section 3.1
}

// readAlgorithm reads AlgorithmIdentifier without parameters, or with NULL.
func readAlgorithm(s *cryptobyte.String) (string, error) {
	var id, null cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&id, der.SEQUENCE) || !id.ReadASN1ObjectIdentifier(&oid) {
		return "", errCMS
	}
	if !id.Empty() {
		if !id.PeekASN1Tag(der.NULL) {
			return "", unsupportedError(fmt.Sprintf("CMS algorithm %s with parameters", oid))
		}
		if !id.ReadASN1(&null, der.NULL) || len(null) > 0 || !id.Empty() {
			return "", errCMS
		}
	}
	return oid.String(), nil
}

func readDigestAlgorithm(s *cryptobyte.String) (crypto.Hash, error) {
	oid, err := readAlgorithm(s)
	if err != nil {
		return 0, err
	}
	switch oid {
	case "1.3.14.3.2.26":
		return 0, unsupportedError("weak hash SHA-1")
	case "1.2.840.113549.2.5":
		return 0, unsupportedError("weak hash MD5")
	}
	h, ok := cmsDigests[oid]
	if !ok {
		return 0, unsupportedError("CMS digest algorithm " + oid)
	}
	return h, nil
}

func readSignatureAlgorithm(s *cryptobyte.String, digest crypto.Hash) (cmsScheme, error) {
	oid, err := readAlgorithm(s)
	if err != nil {
		return 0, err
	}
	a, ok := cmsSignatures[oid]
	if !ok {
		return 0, unsupportedError("CMS signature algorithm " + oid)
	}
	if a.hash != 0 && a.hash != digest {
		return 0, errors.New("digest and signature algorithms disagree")
	}
	return a.scheme, nil
}

// readAttributes calls each for every attribute; a type may occur once only, with its values in a set.
func readAttributes(set cryptobyte.String, each func(oid asn1.ObjectIdentifier, values cryptobyte.String) error) error {
	var seen []string
	for !set.Empty() {
		var attribute, values cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !set.ReadASN1(&attribute, der.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) ||
			!attribute.ReadASN1(&values, der.SET) || !attribute.Empty() || values.Empty() {
			return errCMS
		}
		if slices.Contains(seen, oid.String()) {
			return fmt.Errorf("attribute %s given twice", oid)
		}
		if seen = append(seen, oid.String()); len(seen) > MaxAttributes {
			return fmt.Errorf("exceeds %d attributes", MaxAttributes)
		}
		if err := each(oid, values); err != nil {
			return err
		}
	}
	return nil
}

// readSignedAttributes wants content type, message digest and signing time; others are remarks by the signer, who
// signed them.
func (s *cmsSignature) readSignedAttributes(set cryptobyte.String) error {
	var contentType bool
	err := readAttributes(set, func(oid asn1.ObjectIdentifier, values cryptobyte.String) error {
		switch {
		case oid.Equal(oidContentType):
			var kind asn1.ObjectIdentifier
			if !values.ReadASN1ObjectIdentifier(&kind) || !values.Empty() || !kind.Equal(s.as.contentType()) {
				return errors.New("signed content type is not that of the content")
			}
			contentType = true
		case oid.Equal(oidMessageDigest):
			var digest cryptobyte.String
			if !values.ReadASN1(&digest, der.OCTET_STRING) || !values.Empty() || len(digest) != s.hash.Size() {
				return errCMS
			}
			s.digest = digest
		case oid.Equal(oidSigningTime):
			at, ok := readTime(&values)
			if !ok || !values.Empty() {
				return errCMS
			}
			s.signingTime = at
		case s.as.stamp:
			return s.stampAttribute(oid, values)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case s.as.stamp && !s.as.counter && !s.named: // RFC 3161, section 2.4.2
		return errors.New("signed attributes do not name the certificate")
	case !contentType && !s.as.counter || s.digest == nil: // a countersignature needs no type, RFC 5652, section 11.4
		return errors.New("signed attributes lack content type or message digest")
	case s.signingTime.IsZero() && !s.as.timeless:
		return errors.New("signed attributes lack the signing time")
	}
	return nil
}

func readTime(s *cryptobyte.String) (time.Time, bool) {
	var at time.Time
	if s.PeekASN1Tag(der.UTCTime) {
		ok := s.ReadASN1UTCTime(&at)
		return at.UTC(), ok
	}
	ok := s.ReadASN1GeneralizedTime(&at)
	return at.UTC(), ok
}

// readUnsignedAttributes takes log entries and timestamps, which vouch for themselves; anything else outside the
// signature has no business there (the place where CVE-2013-3900 hides its payload).
func (s *cmsSignature) readUnsignedAttributes(set cryptobyte.String) error {
	return readAttributes(set, func(oid asn1.ObjectIdentifier, values cryptobyte.String) error {
		for !values.Empty() {
			if len(s.logEntries)+len(s.timestamps)+len(s.counters) >= MaxEvidence {
				return fmt.Errorf("exceeds %d log entries and timestamps", MaxEvidence)
			}
			var value cryptobyte.String
			switch {
			case oid.Equal(oidLogEntry) && !s.as.stamp:
				if !values.ReadASN1(&value, der.OCTET_STRING) {
					return errCMS
				}
				s.logEntries = append(s.logEntries, value)
			case oid.Equal(oidTimestamp) && !s.as.stamp, oid.Equal(oidMicrosoftTimestamp) && s.as.stampable && s.as.content != nil:
				if !values.ReadASN1Element(&value, der.SEQUENCE) {
					return errCMS
				}
				s.timestamps = append(s.timestamps, value)
			case oid.Equal(oidCountersignature) && s.as.stampable:
				if !values.ReadASN1Element(&value, der.SEQUENCE) {
					return errCMS
				}
				s.counters = append(s.counters, value)
			default:
				return unsupportedError(fmt.Sprintf("attribute %s outside the signed part", oid))
			}
		}
		return nil
	})
}
