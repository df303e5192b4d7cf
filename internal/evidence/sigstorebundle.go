package evidence

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// readBundle reads a Sigstore bundle, versions 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto).
func (b *Bundle) readBundle(v strictjson.Value) error {
	o, err := v.Object("mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope")
	if err != nil {
		return err
	}
	mediaType, err := o.Get("mediaType").Text()
	if err != nil {
		return in("mediaType", err)
	}
	if b.format = mediaTypes[mediaType]; b.format == "" {
		return fmt.Errorf("unsupported media type %q", cut(mediaType))
	}
	if err := b.readMaterial(o.Get("verificationMaterial")); err != nil {
		return err
	}
	m, d := o.Get("messageSignature"), o.Get("dsseEnvelope")
	switch {
	case m.Absent() == d.Absent():
		return errors.New("want either messageSignature or dsseEnvelope")
	case d.Absent():
		return in("messageSignature", b.readMessage(m))
	}
	b.envelope, err = readEnvelope(d)
	return in("dsseEnvelope", err)
}

func (b *Bundle) readMaterial(v strictjson.Value) error {
	o, err := v.Object("publicKey", "certificate", "x509CertificateChain", "tlogEntries", "timestampVerificationData")
	if err != nil {
		return in("verificationMaterial", err)
	}
	if err := b.readSigner(o); err != nil {
		return err
	}
	if t := o.Get("tlogEntries"); !t.Absent() {
		if n := t.Count(); n > MaxLogEntries {
			return fmt.Errorf("%d log entries, at most %d", n, MaxLogEntries)
		}
		entries, err := t.Elements()
		if err != nil {
			return in("tlogEntries", err)
		}
		for i, e := range entries {
			entry, err := readLogEntry(e, b.format)
			if err != nil {
				return in(fmt.Sprintf("tlogEntries[%d]", i), err)
			}
			b.entries = append(b.entries, entry)
		}
	}
	if t := o.Get("timestampVerificationData"); !t.Absent() {
		return in("timestampVerificationData", b.readTimestamps(t))
	}
	return nil
}

// readSigner reads the one of three that says who signed.
func (b *Bundle) readSigner(o strictjson.Object) error {
	key, one, chain := o.Get("publicKey"), o.Get("certificate"), o.Get("x509CertificateChain")
	present := 0
	for _, v := range []strictjson.Value{key, one, chain} {
		if !v.Absent() {
			present++
		}
	}
	if present != 1 {
		return errors.New("want one of publicKey, certificate and x509CertificateChain")
	}
	switch {
	case !key.Absent():
		k, err := key.Object("hint")
		if err == nil && !k.Get("hint").Absent() {
			b.hint, err = k.Get("hint").Text()
		}
		b.keyed = true
		return in("publicKey", err)
	case !one.Absent():
		var err error
		b.leaf, err = readCertificate(one)
		return in("certificate", err)
	case b.format == FormatBundle03:
		return errors.New("a bundle of version 0.3 holds no certificate chain")
	}
	return in("x509CertificateChain", b.readChain(chain))
}

// readChain takes the first certificate. Those behind it are read, and not trusted for anything: chains are built from
// the trusted root alone. The first npm attestations hold a root among them; a root that signs by itself is refused.
func (b *Bundle) readChain(v strictjson.Value) error {
	o, err := v.Object("certificates")
	if err != nil {
		return err
	}
	if n := o.Get("certificates").Count(); n == 0 {
		return errors.New("no certificate")
	} else if n > MaxCertificates {
		return fmt.Errorf("%d certificates, at most %d", n, MaxCertificates)
	}
	list, err := o.Get("certificates").Elements()
	if err != nil {
		return err
	}
	for i, e := range list {
		c, err := readCertificate(e)
		if err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		if bytes.Equal(c.RawSubject, c.RawIssuer) && len(c.RawSubject) > 2 {
			return errors.New("the signer's certificate is a root certificate")
		}
		b.leaf = c
	}
	return nil
}

func readCertificate(v strictjson.Value) (*x509.Certificate, error) {
	o, err := v.Object("rawBytes")
	if err != nil {
		return nil, err
	}
	der, err := sized(o.Get("rawBytes"), MaxCertificate)
	if err != nil {
		return nil, err
	}
	if len(der) == 0 {
		return nil, errors.New("no certificate")
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("malformed certificate")
	}
	return c, nil
}

func (b *Bundle) readTimestamps(v strictjson.Value) error {
	o, err := v.Object("rfc3161Timestamps")
	if err != nil || o.Get("rfc3161Timestamps").Absent() {
		return err
	}
	if n := o.Get("rfc3161Timestamps").Count(); n > MaxTimestamps {
		return fmt.Errorf("%d timestamps, at most %d", n, MaxTimestamps)
	}
	list, err := o.Get("rfc3161Timestamps").Elements()
	if err != nil {
		return err
	}
	for _, e := range list {
		t, err := e.Object("signedTimestamp")
		if err != nil {
			return err
		}
		stamp, err := sized(t.Get("signedTimestamp"), MaxTimestamp)
		if err != nil {
			return in("signedTimestamp", err)
		}
		b.stamps = append(b.stamps, stamp)
	}
	return nil
}

// hashNames are protobuf-specs' names of the algorithms that are accepted.
var hashNames = map[string]string{"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}

func (b *Bundle) readMessage(v strictjson.Value) error {
	o, err := v.Object("messageDigest", "signature")
	if err != nil {
		return err
	}
	d, err := o.Get("messageDigest").Object("algorithm", "digest")
	if err != nil {
		return in("messageDigest", err)
	}
	name, err := d.Get("algorithm").Text()
	if err != nil {
		return in("algorithm", err)
	}
	m := &message{algorithm: hashNames[name]}
	if m.algorithm == "" {
		return fmt.Errorf("unsupported digest algorithm %q", cut(name))
	}
	if m.digest, err = sized(d.Get("digest"), MaxSignature); err != nil {
		return in("digest", err)
	}
	if len(m.digest) != hashes[m.algorithm].Size() {
		return errors.New("malformed digest")
	}
	if m.signature, err = sized(o.Get("signature"), MaxSignature); err != nil {
		return in("signature", err)
	}
	if len(m.signature) == 0 {
		return errors.New("no signature")
	}
	b.message = m
	return nil
}

// sized reads base64 of at most limit bytes.
func sized(v strictjson.Value, limit int) ([]byte, error) {
	if len(v.Raw()) > limit/3*4+8 {
		return nil, fmt.Errorf("exceeds %d bytes", limit)
	}
	return v.Base64()
}

// in says where an error is.
func in(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

// cut keeps a foreign value short enough to print.
func cut(s string) string {
	if len(s) > 128 {
		return s[:128] + "…"
	}
	return s
}
