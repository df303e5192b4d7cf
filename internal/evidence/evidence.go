// Package evidence reads, judges and writes signed statements about artefacts: in-toto statements in DSSE envelopes in
// Sigstore bundles, and signatures over an artefact itself. It is the only package that knows them.
//
// What it promises:
//
//   - Nothing of a bundle can be reached before it is verified. Parse gives an opaque Bundle; Verify gives a Verified,
//     and only that one hands out the statement, the signers and the times.
//   - Who signed is decided by internal/trust alone: a key of a principal, or a certified identity together with its
//     issuer. Everything that a bundle brings to prove itself (certificates, keys, log ids) is held against trusted
//     roots that the caller brings.
//   - A log entry counts only if every field of it follows from this artefact, this signature and this key; entries are
//     never searched and never echoed. Logs and timestamp authorities are counted once each, whatever they repeat.
//   - Certificates, authorities, logs and timestamp authorities are held to their windows at every time that is proved
//     for the signature, and a time ahead of the clock is refused.
//   - The statement must be of a type that the caller names, be about the artefact's own digest, by every digest
//     algorithm that binds, and under the name that the caller demands.
//   - Verifying opens no connection and no file.
//
// Formats: DSSE 1.0 and in-toto Statement v1 (v0.1 is read), Sigstore bundles 0.1 to 0.3, the trusted root 0.1, Rekor
// v1 (hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.2) and v2 (hashedrekord 0.0.2), C2SP checkpoints, RFC 6962, RFC 3161,
// cosign's older bundle. docs/predicates.md describes the predicates.
package evidence

import (
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// Options is what evidence is judged by. All of it is the caller's, nothing of it the evidence's.
type Options struct {
	Trust   *trust.Trust  // who counts as whom; nil knows nobody
	Roots   *TrustedRoots // authorities and logs; nil trusts none
	Require Require
	Subject *Subject // the artefact; required
	Expect  Expect
	Now     time.Time // required
}

// Require says how a signature must be witnessed. The zero value demands one log, and an SCT for every certificate of
// the trusted roots.
type Require struct {
	Logs       int  // distinct logs; 0 stands for 1
	Timestamps int  // distinct RFC 3161 timestamp authorities
	NoLog      bool // no log is demanded; an exception that Verified repeats
	NoSCT      bool // certificates need no SCT; an exception that Verified repeats
}

// Expect says what the caller can use. The zero value accepts nothing.
type Expect struct {
	Predicates []string // predicate types of statements, each exact
	Message    bool     // a signature over the artefact itself
	Withdrawal bool     // statements that take back others
}

// Verified is evidence that holds. Only Verify makes one; the zero value, and nil, hold nothing.
type Verified struct {
	name, sum, format string
	statement         *Statement
	subject           *Resource
	signers           []Signer
	times             []Time
	logs              []string
	exceptions        []string
	notes             []string
}

// Signer is one party whose signature holds.
type Signer struct {
	Principal   string       `json:"principal"`
	Platform    bool         `json:"platform,omitempty"`
	Key         string       `json:"key"` // sha256: and the digest of the key's SubjectPublicKeyInfo
	Certificate *Certificate `json:"certificate,omitempty"`
	PublicKey   []byte       `json:"-"` // SubjectPublicKeyInfo
}

// Time is a time at which the signature existed, on the word of somebody trusted.
type Time struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // log or timestamp
	By   string    `json:"by"`   // address of the log or authority, as the trusted root names it
}

// Name returns what the evidence was called when it was read.
func (v *Verified) Name() string { return v.name }

// SHA256 returns the digest of the evidence in lower-case hex.
func (v *Verified) SHA256() string { return v.sum }

// Format returns the evidence's format, one of the Format constants.
func (v *Verified) Format() string { return v.format }

// Statement returns the signed statement, nil for a signature over the artefact itself.
func (v *Verified) Statement() *Statement { return v.statement }

// Subject returns the subject of the statement that is the artefact; nil for a signature over the artefact itself.
func (v *Verified) Subject() *Resource { return v.subject }

// Signers returns who signed; there is at least one.
func (v *Verified) Signers() []Signer { return v.signers }

// Principals returns the names of the principals who signed, each once: what trust.Satisfied takes.
func (v *Verified) Principals() []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range v.signers {
		if !seen[s.Principal] {
			seen[s.Principal] = true
			out = append(out, s.Principal)
		}
	}
	return out
}

// Times returns every proved time. There may be none for a signature by a key.
func (v *Verified) Times() []Time { return v.times }

// SignedAt returns the earliest proved time; the zero time when none is.
func (v *Verified) SignedAt() time.Time {
	var at time.Time
	for _, t := range v.times {
		if at.IsZero() || t.At.Before(at) {
			at = t.At
		}
	}
	return at
}

// Logs returns the distinct logs that hold the signature, as the trusted root names them.
func (v *Verified) Logs() []string { return v.logs }

// Exceptions returns what was not demanded although it usually is, for the verdict to repeat.
func (v *Verified) Exceptions() []string { return v.exceptions }

// Notes returns what a reader should know and what decides nothing: witnesses that were not counted.
func (v *Verified) Notes() []string { return v.notes }

// Verify judges one bundle. The error is of class failed when the evidence does not hold, of class usage when the
// options are such that nothing could.
func Verify(b *Bundle, opt Options) (*Verified, error) {
	if b == nil || b.message == nil && b.envelope == nil {
		return nil, fault.Failf("bundle", "malformed bundle: is empty")
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	v := &verification{Bundle: b, opt: opt, out: &Verified{name: b.name, sum: b.SHA256(), format: b.format}}
	for _, step := range []func() error{v.content, v.signatures, v.witnesses, v.signer, v.bind} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return v.out, nil
}

func (o *Options) check() error {
	switch {
	case o.Now.IsZero():
		return fault.Usagef("evidence", "no reference time was given")
	case o.Subject == nil || o.Subject.Digests["sha256"] == "":
		return fault.Usagef("evidence", "no artefact was given")
	case len(o.Expect.Predicates) == 0 && !o.Expect.Message && !o.Expect.Withdrawal:
		return fault.Usagef("evidence", "no predicate type is accepted: name those that are")
	case o.Require.Logs < 0 || o.Require.Timestamps < 0 || o.Require.NoLog && o.Require.Logs > 0:
		return fault.Usagef("evidence", "contradictory demands on logs and timestamps")
	}
	for algorithm, text := range o.Subject.Digests {
		if err := checkDigest(algorithm, text); err != nil {
			return fault.Usagef("artefact", "%w", err)
		}
	}
	return nil
}
