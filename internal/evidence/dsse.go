package evidence

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// PayloadType is the only payload type that is read and written: an in-toto statement.
const PayloadType = "application/vnd.in-toto+json"

// envelope is a DSSE envelope (secure-systems-lab/dsse, envelope.md).
type envelope struct {
	payloadType string
	payload     []byte
	signatures  []envelopeSignature
}

type envelopeSignature struct {
	keyID string // unauthenticated, picks nothing
	sig   []byte
	cert  *x509.Certificate // as slsa-github-generator writes it
}

// readEnvelope reads a bare envelope: keys signed it, or the one signature brings its certificate.
func (b *Bundle) readEnvelope(v strictjson.Value) error {
	b.format, b.keyed = FormatEnvelope, true
	var err error
	if b.envelope, err = readEnvelope(v); err != nil {
		return err
	}
	for _, s := range b.envelope.signatures {
		if s.cert != nil && len(b.envelope.signatures) != 1 {
			return errors.New("several signatures with a certificate")
		}
		if s.cert != nil {
			b.leaf, b.keyed = s.cert, false
		}
	}
	return nil
}

func readEnvelope(v strictjson.Value) (*envelope, error) {
	o, err := v.Object("payload", "payloadType", "signatures")
	if err != nil {
		return nil, err
	}
	e := &envelope{}
	if e.payloadType, err = o.Get("payloadType").Text(); err != nil {
		return nil, in("payloadType", err)
	}
	if e.payload, err = sized(o.Get("payload"), MaxPayload); err != nil {
		return nil, in("payload", err)
	}
	n := o.Get("signatures").Count()
	switch {
	case n == 0:
		return nil, errors.New("no signatures")
	case n > MaxSignatures:
		return nil, fmt.Errorf("%d signatures, at most %d", n, MaxSignatures)
	}
	list, err := o.Get("signatures").Elements()
	if err != nil {
		return nil, in("signatures", err)
	}
	for _, s := range list {
		sig, err := readSignature(s)
		if err != nil {
			return nil, in("signatures", err)
		}
		e.signatures = append(e.signatures, sig)
	}
	return e, nil
}

func readSignature(v strictjson.Value) (s envelopeSignature, err error) {
	o, err := v.Object("sig", "keyid", "cert")
	if err != nil {
		return s, err
	}
	if s.sig, err = sized(o.Get("sig"), MaxSignature); err != nil {
		return s, err
	}
	if len(s.sig) == 0 {
		return s, errors.New("empty signature")
	}
	if k := o.Get("keyid"); !k.Absent() {
		if s.keyID, err = k.Text(); err != nil {
			return s, in("keyid", err)
		}
	}
	if c := o.Get("cert"); !c.Absent() {
		text, err := c.Text()
		if err != nil {
			return s, in("cert", err)
		}
		if s.cert, err = onePEM([]byte(text)); err != nil {
			return s, in("cert", err)
		}
	}
	return s, nil
}

// onePEM reads the first certificate of a PEM text.
func onePEM(data []byte) (*x509.Certificate, error) {
	if len(data) > MaxPEM {
		return nil, fmt.Errorf("exceeds %d bytes", MaxPEM)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("malformed certificate")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("malformed certificate")
	}
	return c, nil
}

// PAE is what a DSSE signature covers (protocol.md, "Pre-Authentication Encoding"). A signature over the bare payload
// is worth nothing (slsa-verifier GHSA-r2xv-vpr2-42m9).
func PAE(payloadType string, payload []byte) []byte {
	out := make([]byte, 0, len(payload)+len(payloadType)+48)
	out = append(out, "DSSEv1 "...)
	out = strconv.AppendInt(out, int64(len(payloadType)), 10)
	out = append(out, ' ')
	out = append(out, payloadType...)
	out = append(out, ' ')
	out = strconv.AppendInt(out, int64(len(payload)), 10)
	out = append(out, ' ')
	return append(out, payload...)
}
