package evidence_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"path/filepath"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// BenchmarkVerify reads and verifies one keyless bundle of the public instance; "signatures" is the bare cost of the
// signatures in it, the issuing chain being known: certificate (P-384), its SCT, log entry and payload (P-256).
func BenchmarkVerify(b *testing.B) {
	dir := examples(b)
	data := load(b, dir, "examples", "bundle-provenance.json")
	roots, err := evidence.ParseTrustedRoots("", load(b, dir, "examples", "trusted-root-public-good.json"))
	if err != nil {
		b.Fatal(err)
	}
	who, err := trust.New([]trust.Principal{{Name: "release", Identity: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com"}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	opt := evidence.Options{Trust: who, Roots: roots, Subject: npm(npmSum), Now: time.Now(), Expect: evidence.Expect{Predicates: []string{evidence.PredicateProvenanceV02}}}
	b.Run("bundle", func(b *testing.B) {
		for b.Loop() {
			one, err := evidence.Parse("", data)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := evidence.Verify(one, opt); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := evidence.Parse("", data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("signatures", func(b *testing.B) {
		bare := bareSignatures(b, data)
		for b.Loop() {
			bare()
		}
	})
	b.Run("trusted root", func(b *testing.B) {
		root := load(b, filepath.Join(dir, "examples", "trusted-root-public-good.json"))
		for b.Loop() {
			if _, err := evidence.ParseTrustedRoots("", root); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// bareSignatures verifies one signature by P-384 and as many by P-256 as the bundle holds: payload, SCT, and of its log
// entry promise and checkpoint.
func bareSignatures(b *testing.B, data []byte) func() {
	b.Helper()
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	sum384, sum256 := sha512.Sum384(data), sha256.Sum256(data)
	sig384, err := ecdsa.SignASN1(rand.Reader, large, sum384[:])
	if err != nil {
		b.Fatal(err)
	}
	sig256, err := ecdsa.SignASN1(rand.Reader, small, sum256[:])
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		if !ecdsa.VerifyASN1(&large.PublicKey, sum384[:], sig384) {
			b.Fatal("P-384")
		}
		for range 4 {
			if !ecdsa.VerifyASN1(&small.PublicKey, sum256[:], sig256) {
				b.Fatal("P-256")
			}
		}
	}
}
