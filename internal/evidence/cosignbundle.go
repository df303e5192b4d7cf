package evidence

import (
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// readCosign reads what `cosign sign-blob --bundle` wrote before version 3 (cosign, specs/BUNDLE_SPEC.md): a signature
// over the artefact, the signer's certificate or key in PEM, and Rekor's promise.
func (b *Bundle) readCosign(v strictjson.Value) error {
	b.format = FormatCosign
	o, err := v.Object("base64Signature", "cert", "rekorBundle")
	if err != nil {
		return err
	}
	m := &message{}
	if m.signature, err = sized(o.Get("base64Signature"), MaxSignature); err != nil {
		return in("base64Signature", err)
	}
	if len(m.signature) == 0 {
		return errors.New("no signature")
	}
	b.message = m
	if err := b.readCosignSigner(o.Get("cert")); err != nil {
		return in("cert", err)
	}
	if r := o.Get("rekorBundle"); !r.Absent() {
		e, err := readRekorBundle(r)
		if err != nil {
			return in("rekorBundle", err)
		}
		b.entries = append(b.entries, e)
	}
	return nil
}

// readCosignSigner reads a PEM text that cosign may have wrapped in base64 again. A key found here is not trusted for
// being here: it is a hint, as nothing at all would be.
func (b *Bundle) readCosignSigner(v strictjson.Value) error {
	if v.Absent() {
		b.keyed = true
		return nil
	}
	text, err := v.Text()
	if err != nil {
		return err
	}
	if text == "" {
		b.keyed = true
		return nil
	}
	if raw, err := base64.StdEncoding.Strict().DecodeString(text); err == nil {
		text = string(raw)
	}
	if len(text) > 26 && text[:26] == "-----BEGIN PUBLIC KEY-----" {
		b.keyed = true
		return nil
	}
	b.leaf, err = onePEM([]byte(text))
	return err
}

func readRekorBundle(v strictjson.Value) (e logEntry, err error) {
	o, err := v.Object("SignedEntryTimestamp", "Payload")
	if err != nil {
		return e, err
	}
	if e.promise, err = sized(o.Get("SignedEntryTimestamp"), MaxSignature); err != nil || len(e.promise) == 0 {
		return e, errors.New("inclusion not proven: no signed entry timestamp")
	}
	p, err := o.Get("Payload").Object("body", "integratedTime", "logIndex", "logID")
	if err != nil {
		return e, in("Payload", err)
	}
	if e.body, err = sized(p.Get("body"), MaxBody); err != nil {
		return e, in("body", err)
	}
	if e.integrated, err = p.Get("integratedTime").Int64(); err != nil || e.integrated < 0 {
		return e, errors.New("integratedTime: malformed")
	}
	if e.index, err = p.Get("logIndex").Int64(); err != nil || e.index < 0 {
		return e, errors.New("logIndex: malformed")
	}
	id, err := p.Get("logID").Text()
	if err != nil {
		return e, in("logID", err)
	}
	if e.logID, err = hex.DecodeString(id); err != nil || hex.EncodeToString(e.logID) != id || len(e.logID) != 32 {
		return e, errors.New("logID: malformed")
	}
	// this format does not name the kind: the only one that a signature over a blob has
	e.kind, e.version = "hashedrekord", "0.0.1"
	return e, e.complete(FormatCosign)
}
