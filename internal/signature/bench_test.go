//go:build unix

package signature_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// BenchmarkVerify measures one signature of each kind against a policy that was read once: the first look, and the
// second one, for which the arithmetic is remembered.
func BenchmarkVerify(b *testing.B) {
	for name, h := range benchSignatures(b) {
		sig := h.armour(h.body)
		for _, look := range []string{"first", "second"} {
			b.Run(fmt.Sprintf("%s/%s", name, look), func(b *testing.B) {
				opt := h.opt
				if look == "second" {
					opt.Cache = &memory{}
					signature.Verify(payload, sig, opt)
				}
				b.ReportAllocs()
				before := cpu(b)
				for b.Loop() {
					if r := signature.Verify(payload, sig, opt); !r.Status.Good() {
						b.Fatalf("%s: %s", r.Status, r.Detail)
					}
				}
				b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpu is the processor time that this process has used: on a busy machine the clock says little.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchSignatures(b *testing.B) map[string]honest {
	b.Helper()
	out := map[string]honest{
		"openpgp-ed25519": honestPGP(b, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}),
		"openpgp-rsa4096": honestPGP(b, &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 4096}),
		"ssh-ed25519":     honestSSH(b),
		"x509-ecdsa-p256": honestCMS(b),
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		b.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]rawSigner{
		"ssh-rsa4096": signerOf(b, rsaKey, "rsa-sha2-512"), "ssh-ecdsa-p384": signerOf(b, p384, ""), "ssh-ed25519-of-1000": signerOf(b, ed, ""),
	} {
		principals := []trust.Principal{{Name: "a", SSH: []trust.SSHKey{{Line: line(b, s.public)}}}}
		if name == "ssh-ed25519-of-1000" {
			for i := range 999 {
				public, _, err := ed25519.GenerateKey(rand.Reader)
				if err != nil {
					b.Fatal(err)
				}
				blob := str([]byte("ssh-ed25519"), public)
				principals = append(principals, trust.Principal{Name: fmt.Sprint(i), SSH: []trust.SSHKey{{Line: line(b, blob)}}})
			}
		}
		out[name] = honest{signature.Options{Keys: trusted(b, principals...), Namespace: "git", Now: now}, "SSH SIGNATURE", sshsig(s, payload, fields{})}
	}
	return out
}
