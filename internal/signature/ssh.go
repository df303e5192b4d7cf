package signature

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"crypto/rsa"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

func (v *verification) ssh(sig []byte) {
	v.SignedAt = v.opt.SignedAt
	if v.opt.Namespace == "" {
		v.end(StatusUnsupported, "no namespace was demanded")
		return
	}
	blob, err := dearmour(sig, "SSH SIGNATURE", false)
	if err != nil {
		v.end(StatusBad, "%v", err)
		return
	}
	s, err := parseSSHSIG(blob, v.opt.Keys)
	if err != nil {
		v.malformed(err)
		return
	}
	v.Key, v.Algorithm, v.Hash = s.printed, sshAlgorithm(s.key), s.hashName
	if s.namespace != v.opt.Namespace {
		v.end(StatusBad, "made for namespace %q, not %q", s.namespace, v.opt.Namespace)
		return
	}
	if !v.math("sshsig", v.payload, s.blob, nil, func() bool { // the blob holds the key
		return s.key.Verify(s.signedBytes(v.payload), s.signature) == nil
	}) {
		v.end(StatusBad, "does not fit the object and key %s", v.Key)
		return
	}
	if v.inFuture() {
		return
	}
	if s.certificate != nil {
		v.sshCertificate(s.certificate)
		return
	}
	if why, revoked := v.opt.Keys.RevokedSSH(s.key); revoked {
		v.end(StatusRevoked, "%s", why)
		return
	}
	v.sshEntries(v.opt.Keys.SSHKey(v.Key), "", time.Time{})
}

// sshEntries picks the policy's entry that allows namespace and time. A certificate brings its own end of validity.
func (v *verification) sshEntries(entries []*trust.SSHEntry, detail string, until time.Time) {
	if len(entries) == 0 {
		v.end(StatusGoodUntrusted, "signer is not in the policy")
		return
	}
	why := ""
	for _, e := range entries {
		switch {
		case !e.AllowsNamespace(v.opt.Namespace):
			why = fmt.Sprintf("the policy does not allow the key to sign for namespace %q", v.opt.Namespace)
		case !e.Valid.Contains(v.SignedAt):
			why = fmt.Sprintf("key not valid at %s: the policy counts it %s", stamp(v.SignedAt), e.Valid)
		default:
			end := e.Valid.To
			if end.IsZero() || !until.IsZero() && until.Before(end) {
				end = until
			}
			if !end.IsZero() && !v.opt.Now.Before(end) {
				detail = "key expired at " + stamp(end)
				v.byPrincipal(e.Principal, true, detail)
				return
			}
			v.byPrincipal(e.Principal, false, detail)
			return
		}
	}
	v.end(StatusGoodUntrusted, "%s", why)
}

// sshCertificate judges a certificate after PROTOCOL.certkeys: of type user, signed by its authority without SHA-1,
// with principals, valid at the signing time, without critical options that would restrict it.
func (v *verification) sshCertificate(c *ssh.Certificate) {
	v.Authority, v.Names = ssh.FingerprintSHA256(c.SignatureKey), c.ValidPrincipals
	authority, err := trust.ParseSSHBlob(c.SignatureKey.Marshal())
	if err != nil {
		v.end(StatusUnsupported, "certificate's authority: %v", err)
		return
	}
	if !v.sshCertificateMath(c, authority) {
		return
	}
	until := sshTime(c.ValidBefore)
	switch {
	case c.CertType != ssh.UserCert:
		v.end(StatusBad, "certificate is not for a user")
	case len(c.ValidPrincipals) == 0:
		v.end(StatusBad, "certificate names no principal")
	case len(c.ValidPrincipals) > MaxNames:
		v.end(StatusBad, "certificate names more than %d principals", MaxNames)
	case v.SignedAt.Before(sshTime(c.ValidAfter)):
		v.end(StatusBad, "certificate not valid at %s: it begins at %s", stamp(v.SignedAt), stamp(sshTime(c.ValidAfter)))
	case !v.SignedAt.Before(until):
		v.end(StatusBad, "certificate not valid at %s: it expired at %s", stamp(v.SignedAt), stamp(until))
	case len(c.CriticalOptions) > 0:
		v.end(StatusUnsupported, "certificate with critical options %s", optionNames(c))
	}
	if v.Status != "" {
		return
	}
	if why, revoked := v.opt.Keys.RevokedSSHCertificate(c); revoked {
		v.end(StatusRevoked, "%s", why)
		return
	}
	entries, ambiguous := v.opt.Keys.SSHAuthority(v.Authority, c.ValidPrincipals)
	if ambiguous {
		v.end(StatusGoodUntrusted, "certificate names several principals of the policy: nobody can say which one signed")
		return
	}
	if len(entries) == 0 {
		v.end(StatusGoodUntrusted, "the policy knows no authority %s for the names in the certificate", v.Authority)
		return
	}
	v.sshEntries(entries, fmt.Sprintf("certificate %s for %s", fault.Quote(c.KeyId), quoteAll(c.ValidPrincipals)), until)
}

// sshCertificateMath checks the authority's signature over the certificate.
func (v *verification) sshCertificateMath(c *ssh.Certificate, authority ssh.PublicKey) bool {
	if c.Signature == nil {
		v.end(StatusBad, "certificate is not signed")
		return false
	}
	if _, err := parseSSHSignature(ssh.Marshal(c.Signature), authority); err != nil {
		v.malformed(fmt.Errorf("certificate: %w", err))
		return false
	}
	blob := c.Marshal()
	if !v.math("sshcert", blob, nil, authority.Marshal(), func() bool {
		signature := c.Signature
		unsigned := blob[:len(blob)-4-len(ssh.Marshal(signature))] // the certificate up to its signature field
		return authority.Verify(unsigned, signature) == nil
	}) {
		v.end(StatusBad, "certificate does not fit its authority %s", v.Authority)
		return false
	}
	return true
}

// sshTime reads a certificate's bound; what lies beyond this calendar is clamped to its end.
func sshTime(seconds uint64) time.Time {
	const last = 253402300799 // the end of year 9999
	return time.Unix(int64(min(seconds, last)), 0).UTC()
}

func sshAlgorithm(key ssh.PublicKey) string {
	switch key.Type() {
	case ssh.KeyAlgoRSA:
		if c, ok := key.(ssh.CryptoPublicKey); ok {
			if k, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok {
				return fmt.Sprintf("rsa%d", k.N.BitLen())
			}
		}
		return "rsa"
	case ssh.KeyAlgoED25519:
		return "ed25519"
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return "ecdsa-p" + strings.TrimPrefix(key.Type(), "ecdsa-sha2-nistp")
	case ssh.KeyAlgoSKED25519:
		return "sk-ed25519"
	case ssh.KeyAlgoSKECDSA256:
		return "sk-ecdsa-p256"
	}
	return key.Type()
}

func optionNames(c *ssh.Certificate) string {
	names := make([]string, 0, len(c.CriticalOptions))
	for name := range c.CriticalOptions {
		names = append(names, name)
	}
	slices.Sort(names)
	return quoteAll(names)
}

func quoteAll(names []string) string {
	out := make([]string, min(len(names), 8))
	for i := range out {
		out[i] = fault.Quote(names[i])
	}
	if len(names) > len(out) {
		out = append(out, fmt.Sprintf("and %d more", len(names)-len(out)))
	}
	return strings.Join(out, ", ")
}
