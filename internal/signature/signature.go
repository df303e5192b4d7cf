// Package signature says which key made a detached signature, and what that is worth under a policy: pure, without
// network or files. It reads the three kinds that git writes: OpenPGP (RFC 9580), SSHSIG (OpenSSH's PROTOCOL.sshsig
// and PROTOCOL.certkeys) and CMS (RFC 5652) as gitsign, smimesign, gpgsm and OpenSSL write it.
//
// Signatures inside files are CMS in DER, OpenPGP packets or bare arithmetic, see VerifyEmbedded, VerifyPackets and VerifyRaw.
//
// It always judges the exact bytes that are handed in. It parses strictly: each byte of a signature belongs to a field
// that is either signed, checked against the key, or named evidence for somebody else to judge; what is ambiguous (two
// signatures in one armour, anything behind it) is bad. The one exception is the text headers of OpenPGP armour.
//
// Time: the only time that most signatures carry is the signer's own claim. Keys are judged at that time, because
// there is no better one, and a key whose validity has ended by now gives StatusGoodExpiredKey rather than StatusGood:
// whoever came by it later can claim any time. Only a time that Options.TrustedTime vouches for turns that into good.
//
// Nothing here ever trusts a key that came with the signature: signer and trust come from the policy alone.
package signature

import (
	"bytes"
	"fmt"
	"time"

	"github.com/glassbuild/glassbuild/internal/trust"
)

// Status is what a signature is worth. The zero value means that nothing was checked; it is not good.
type Status string

// The statuses, as they stand in JSON.
const (
	StatusGood           Status = "good"             // valid, by a principal of the policy
	StatusGoodUntrusted  Status = "good-untrusted"   // valid, but the policy does not count this signer, or not at this time
	StatusGoodExpiredKey Status = "good-expired-key" // valid at the time that it claims; the key's validity has ended since
	StatusRevoked        Status = "revoked"          // valid, but the key is revoked
	StatusBad            Status = "bad"              // does not hold, is malformed or ambiguous, or the key was not valid then
	StatusUnsigned       Status = "unsigned"         // there is no signature
	StatusUnknownKey     Status = "unknown-key"      // cannot be checked: the policy does not hold the key
	StatusUnsupported    Status = "unsupported"      // a kind, algorithm or strength that is not accepted
)

// Good tells whether the signature is valid, trusted, and valid still.
func (s Status) Good() bool { return s == StatusGood }

// Text returns the status in words.
func (s Status) Text() string {
	switch s {
	case StatusGood:
		return "good signature by a principal of the policy"
	case StatusGoodUntrusted:
		return "valid signature, but the policy does not count the signer"
	case StatusGoodExpiredKey:
		return "valid signature, but the key has expired since"
	case StatusRevoked:
		return "the key is revoked"
	case StatusBad:
		return "bad signature"
	case StatusUnsigned:
		return "not signed"
	case StatusUnknownKey:
		return "signed with a key that is not at hand"
	case StatusUnsupported:
		return "signature of a kind or strength that is not accepted"
	}
	return "not checked"
}

// Kind is the format of a signature.
type Kind string

// The kinds of signature.
const (
	KindNone    Kind = ""
	KindOpenPGP Kind = "openpgp"
	KindSSH     Kind = "ssh"
	KindX509    Kind = "x509"
)

// Options is what a signature is judged against.
type Options struct {
	Keys      *trust.Trust // nil: nobody is trusted
	Namespace string       // that an SSHSIG must name: "git" for commits and tags; required for that kind
	SignedAt  time.Time    // claimed by the signed object; for SSHSIG, which holds no time of its own. Zero: Now
	Now       time.Time    // required

	// Authorities are trusted roots for certified identities whose principal names no authority of its own.
	Authorities []Authority
	// TrustedTime judges the log entries and timestamps that a CMS signature carries. It is called only for a
	// signature that carries some and is mathematically valid; an error makes the signature bad. Nil: none is judged.
	TrustedTime func(Evidence) (time.Time, error)
	// Cache remembers mathematical validity, nothing else. Nil: none.
	Cache MathCache
}

// Result is what is known of one signature. The zero value is "not checked".
type Result struct {
	Kind        Kind         `json:"kind,omitempty"`
	Status      Status       `json:"status"`
	Signer      string       `json:"signer,omitempty"`      // principal of the policy
	Platform    bool         `json:"platform,omitempty"`    // the signer is a forge's own key: it proves the forge, not the author
	Key         string       `json:"key,omitempty"`         // SHA256:… (SSH), hex (OpenPGP), sha256:… of the certificate (X.509)
	PrimaryKey  string       `json:"primaryKey,omitempty"`  // OpenPGP: the primary key, when a subkey signed
	Algorithm   string       `json:"algorithm,omitempty"`   // e.g. ed25519, rsa4096, ecdsa-p256
	Hash        string       `json:"hash,omitempty"`        // e.g. sha256
	SignedAt    time.Time    `json:"signedAt,omitzero"`     // the time at which the key was judged
	TimeTrusted bool         `json:"timeTrusted,omitempty"` // SignedAt was vouched for; else it is the signer's own claim
	Detail      string       `json:"detail,omitempty"`      // one line: why
	Certificate *Certificate `json:"certificate,omitempty"` // X.509: what the certificate says
	Authority   string       `json:"authority,omitempty"`   // SSH certificate: fingerprint of the authority
	Names       []string     `json:"names,omitempty"`       // SSH certificate: its principals
	Stamp       *Stamp       `json:"stamp,omitempty"`       // the timestamp inside an embedded signature
	Evidence    *Evidence    `json:"-"`                     // X.509: log entries and timestamps that came with it
}

// Verify judges the detached signature sig over payload.
func Verify(payload, sig []byte, opt Options) Result {
	switch {
	case len(sig) == 0:
		return Result{Status: StatusUnsigned}
	case opt.Now.IsZero():
		return Result{Detail: "no reference time was given"}
	case len(payload) > MaxPayload:
		return Result{Status: StatusUnsupported, Detail: fmt.Sprintf("signed object exceeds %d bytes", MaxPayload)}
	case len(sig) > MaxArmour:
		return Result{Status: StatusBad, Detail: fmt.Sprintf("signature exceeds %d bytes", MaxArmour)}
	}
	if opt.SignedAt.IsZero() {
		opt.SignedAt = opt.Now
	}
	v := &verification{payload: payload, opt: opt}
	switch {
	case bytes.HasPrefix(sig, []byte("-----BEGIN PGP SIGNATURE-----")):
		v.Kind = KindOpenPGP
		v.openpgp(sig)
	case bytes.HasPrefix(sig, []byte("-----BEGIN SSH SIGNATURE-----")):
		v.Kind = KindSSH
		v.ssh(sig)
	case bytes.HasPrefix(sig, []byte("-----BEGIN SIGNED MESSAGE-----")):
		v.Kind = KindX509
		v.cms(sig)
	default:
		v.end(StatusUnsupported, "neither OpenPGP, SSH nor CMS armour")
	}
	if v.Status == "" { // every path ends in a status; should one not, nothing was proved
		v.end(StatusBad, "undecided")
	}
	return v.Result
}

// verification is one signature on its way to a Result.
type verification struct {
	Result
	payload []byte
	opt     Options
}

// end sets the status and why. The first end counts.
func (v *verification) end(s Status, format string, args ...any) {
	if v.Status == "" {
		v.Status, v.Detail = s, fmt.Sprintf(format, args...)
	}
}

// inFuture ends with bad when the signing time lies ahead of the clock by more than the skew.
func (v *verification) inFuture() bool {
	if v.SignedAt.After(v.opt.Now.Add(ClockSkew)) {
		v.end(StatusBad, "made in the future: %s", stamp(v.SignedAt))
		return true
	}
	return false
}

// byPrincipal ends a valid signature by a principal's key. ended says that the key's own validity is over by now.
func (v *verification) byPrincipal(name string, ended bool, detail string) {
	p, ok := v.opt.Keys.Principal(name)
	if !ok {
		v.end(StatusGoodUntrusted, "signer is not in the policy")
		return
	}
	v.Signer, v.Platform = p.Name, p.Platform
	switch {
	case !p.Valid.Contains(v.SignedAt):
		v.end(StatusGoodUntrusted, "the policy counts this principal %s, not at %s", p.Valid, stamp(v.SignedAt))
	case v.TimeTrusted:
		v.end(StatusGood, "%s", detail)
	case ended:
		v.end(StatusGoodExpiredKey, "%s; the signing time is the signer's own claim", detail)
	case !p.Valid.Contains(v.opt.Now):
		v.end(StatusGoodExpiredKey, "the policy counts this principal %s; the signing time is the signer's own claim", p.Valid)
	default:
		v.end(StatusGood, "%s", detail)
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
