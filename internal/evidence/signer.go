package evidence

import (
	"crypto/x509"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// signer decides who signed, and whether all who vouch for that did so in their time.
func (v *verification) signer() error {
	for _, s := range v.works {
		var signer Signer
		var err error
		if s.leaf != nil {
			signer, err = v.certified(s.leaf)
		} else {
			signer, err = v.known(s)
		}
		if err != nil {
			return err
		}
		if err := v.counts(signer.Principal); err != nil {
			return err
		}
		v.out.signers = append(v.out.signers, signer)
	}
	for _, l := range v.used { // a log's key must have counted when the signature was made, by every clock
		for _, t := range v.instantsOrNow() {
			if !l.at(t) {
				return v.fail("log's key not valid at %s", stamp(t))
			}
		}
	}
	return nil
}

// known names the principal of a bare key.
func (v *verification) known(s *signed) (Signer, error) {
	k, ok := v.opt.Trust.PublicKey(s.spki)
	if !ok {
		return Signer{}, v.fail("signature invalid: key unknown")
	}
	if why, revoked := v.opt.Trust.RevokedDER(s.spki); revoked {
		return Signer{}, v.fail("key revoked: %s", why)
	}
	return Signer{Principal: k.Principal, Platform: k.Platform, Key: "sha256:" + hexSum(s.spki), PublicKey: s.spki}, nil
}

// counts holds the principal's span in the policy against every proved time, or now where none is.
func (v *verification) counts(principal string) error {
	for _, t := range v.instantsOrNow() {
		if !v.opt.Trust.ValidAt(principal, t) {
			p, _ := v.opt.Trust.Principal(principal)
			return v.fail("key not valid at %s: the policy counts %s %s", stamp(t), fault.Quote(principal), p.Valid)
		}
	}
	return nil
}

func (v *verification) instants() []time.Time {
	var out []time.Time
	for _, t := range v.out.times {
		out = append(out, t.At)
	}
	return out
}

// instantsOrNow are the proved times; where none is, what is not valid now does not count.
func (v *verification) instantsOrNow() []time.Time {
	if times := v.instants(); len(times) > 0 {
		return times
	}
	return []time.Time{v.opt.Now}
}

// certified names the principal of a certificate, and checks who issued it and when.
func (v *verification) certified(leaf *x509.Certificate) (Signer, error) {
	c, err := describe(leaf)
	if err != nil {
		return Signer{}, v.fail("certificate: %w", err)
	}
	signer := Signer{Key: "sha256:" + hexSum(leaf.RawSubjectPublicKeyInfo), Certificate: c, PublicKey: leaf.RawSubjectPublicKeyInfo}
	if why, revoked := v.opt.Trust.RevokedDER(leaf.Raw, leaf.RawSubjectPublicKeyInfo); revoked {
		return Signer{}, v.fail("key revoked: %s", why)
	}
	if name, ok := v.opt.Trust.Pinned(leaf.Raw); ok {
		p, _ := v.opt.Trust.Principal(name)
		signer.Principal, signer.Platform = p.Name, p.Platform
		times, err := v.certificateTimes(true)
		if err != nil {
			return Signer{}, err
		}
		for _, t := range times {
			if t.Before(leaf.NotBefore) || t.After(leaf.NotAfter) {
				return Signer{}, v.fail("certificate not valid at %s", stamp(t))
			}
		}
		return signer, nil
	}
	who, err := v.identified(c)
	if err != nil {
		return Signer{}, err
	}
	signer.Principal, signer.Platform = who.Principal, who.Platform
	return signer, v.chained(leaf, who)
}

// identified finds the one principal whose identity and issuer fit.
func (v *verification) identified(c *Certificate) (trust.Authorities, error) {
	who := v.opt.Trust.Identity([]string{c.Identity}, c.Issuer)
	switch len(who) {
	case 1:
		return who[0], nil
	case 0:
		if near := v.opt.Trust.IssuersOf([]string{c.Identity}); len(near) > 0 {
			return trust.Authorities{}, v.fail("issuer differs: %q vouches for %q, want %q", cut(c.Issuer), cut(c.Identity), strings.Join(near, ", "))
		}
		return trust.Authorities{}, v.fail("identity differs: %q, issued by %q, is nobody of the policy", cut(c.Identity), cut(c.Issuer))
	}
	return trust.Authorities{}, v.fail("certificate names several principals")
}

// chained checks the certificate's chain at every proved time, and its SCT. Authorities that the policy itself names
// for a principal are no Sigstore instance: they publish no SCT.
func (v *verification) chained(leaf *x509.Certificate, who trust.Authorities) error {
	times, err := v.certificateTimes(who.Own)
	if err != nil {
		return err
	}
	var authorities []*authority
	if who.Own {
		for _, r := range who.Roots {
			authorities = append(authorities, newAuthority(r, who.Intermediates, time.Time{}, time.Time{}))
		}
	} else if v.opt.Roots != nil {
		authorities = v.opt.Roots.authorities
	}
	chain, err := issued(usable(leaf), authorities, times)
	if err != nil {
		return v.fail("%w", err)
	}
	var ders [][]byte
	for _, c := range chain {
		ders = append(ders, c.Raw, c.RawSubjectPublicKeyInfo)
	}
	if why, revoked := v.opt.Trust.RevokedDER(ders...); revoked {
		return v.fail("issuer's key revoked: %s", why)
	}
	switch {
	case who.Own:
		return nil
	case v.opt.Require.NoSCT:
		v.out.exceptions = append(v.out.exceptions, "no SCT is demanded")
		return nil
	}
	if err := verifySCT(leaf, chain[0], v.opt.Roots.ctLogs); err != nil {
		return v.fail("%w", err)
	}
	return nil
}

// certificateTimes returns the times at which a certificate must have been valid. Without a proved time there is no
// saying that a signature is as old as it claims; only where the policy itself names the authority and gives up logs
// may the certificate be valid now instead (cosign issue 2194: an expired certificate accepted offline).
func (v *verification) certificateTimes(own bool) ([]time.Time, error) {
	if times := v.instants(); len(times) > 0 {
		return times, nil
	}
	if own && v.opt.Require.NoLog {
		return []time.Time{v.opt.Now}, nil
	}
	return nil, v.fail("no trusted time: neither a log nor a timestamp authority says when it was signed")
}
