package signature_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/glassbuild/glassbuild/internal/signature"
)

// body returns what the armour holds, without using the code under test.
func body(t testing.TB, sig []byte) []byte {
	t.Helper()
	var text []byte
	inside := false
	for l := range bytes.Lines(sig) {
		l = bytes.TrimSpace(l)
		switch {
		case bytes.HasPrefix(l, []byte("-----BEGIN")):
			inside = true
		case bytes.HasPrefix(l, []byte("-----END")), bytes.HasPrefix(l, []byte("=")):
			inside = false
		case inside && !bytes.Contains(l, []byte(":")):
			text = append(text, l...)
		}
	}
	out, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// flips sees that a signature that is good stops being good when one bit changes: every stride-th of the signature (all
// with a stride of one), every messageStride-th of what was signed. OpenPGP's checksum is left out, so that it cannot hide a flip.
func flips(t testing.TB, message, sig []byte, label string, opt signature.Options, stride, messageStride int) {
	t.Helper()
	raw := body(t, sig)
	wrap := func(b []byte) []byte {
		out := armour(label, b)
		if label == "PGP SIGNATURE" {
			out = bytes.Replace(out, []byte("\n"), []byte("\n\n"), 1)
		}
		return out
	}
	before := signature.Verify(message, wrap(raw), opt)
	if before.Status != signature.StatusGood {
		t.Fatalf("not good before: %s %q", before.Status, before.Detail)
	}
	for bit := 0; bit < len(raw)*8; bit += stride {
		changed := bytes.Clone(raw)
		changed[bit/8] ^= 1 << (bit % 8)
		if r := signature.Verify(message, wrap(changed), opt); r.Status.Good() {
			t.Fatalf("still good with bit %d of byte %d of the signature changed", bit%8, bit/8)
		}
	}
	for bit := 0; bit < len(message)*8; bit += messageStride {
		changed := bytes.Clone(message)
		changed[bit/8] ^= 1 << (bit % 8)
		if r := signature.Verify(changed, wrap(raw), opt); r.Status.Good() {
			t.Fatalf("still good with bit %d of byte %d of the object changed", bit%8, bit/8)
		}
	}
}
