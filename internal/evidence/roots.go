package evidence

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// TrustedRoots says which certificate authorities, logs and timestamp authorities are trusted, and when. It never
// changes once it is read and may be used from several goroutines. The zero value trusts nobody.
type TrustedRoots struct {
	authorities []*authority
	logs        map[string]*trustedLog // by log id
	ctLogs      map[string]*trustedLog
	stampers    []root.TimestampingAuthority
	sum         [32]byte
}

// trustedLog is a log's key and when it counts.
type trustedLog struct {
	*root.TransparencyLog
	id [32]byte // SHA-256 of the key: two entries of one key are one log
}

// at tells whether the log's key counts at t; both ends are in the span (sigstore-go CVE-2026-54787).
func (l *trustedLog) at(t time.Time) bool {
	return !t.Before(l.ValidityPeriodStart) && (l.ValidityPeriodEnd.IsZero() || !t.After(l.ValidityPeriodEnd))
}

// ParseTrustedRoots reads a Sigstore trusted root, or JSON lines of several. They come from the auditor, never from
// the evidence (gitsign CVE-2023-47122).
func ParseTrustedRoots(name string, data []byte) (*TrustedRoots, error) {
	fail := func(err error) (*TrustedRoots, error) {
		return nil, fault.Usagef(rootObject(name), "malformed trusted root: %w", err)
	}
	if len(data) > MaxTrustedRoots {
		return fail(fmt.Errorf("exceeds %d bytes", MaxTrustedRoots))
	}
	r := &TrustedRoots{logs: map[string]*trustedLog{}, ctLogs: map[string]*trustedLog{}, sum: sha256.Sum256(data)}
	documents := [][]byte{data}
	if _, err := strictjson.Parse(data, rootLimits); errors.Is(err, strictjson.ErrTrailing) {
		documents = bytes.Split(data, []byte("\n"))
	}
	instances := 0
	for _, d := range documents {
		if len(bytes.TrimSpace(d)) == 0 {
			continue
		}
		if instances++; instances > MaxInstances {
			return fail(fmt.Errorf("more than %d roots", MaxInstances))
		}
		if _, err := strictjson.Parse(d, rootLimits); err != nil {
			return fail(err)
		}
		tr, err := root.NewTrustedRootFromJSON(d)
		if err != nil {
			return fail(err)
		}
		if err := r.add(tr); err != nil {
			return fail(err)
		}
	}
	if instances == 0 {
		return fail(errors.New("is empty"))
	}
	return r, nil
}

func rootObject(name string) string {
	if name == "" {
		return "trusted root"
	}
	return fault.Quote(name)
}

func (r *TrustedRoots) add(tr *root.TrustedRoot) error {
	for _, ca := range tr.FulcioCertificateAuthorities() {
		f, ok := ca.(*root.FulcioCertificateAuthority)
		if !ok {
			return errors.New("unsupported certificate authority")
		}
		r.authorities = append(r.authorities, newAuthority(f.Root, f.Intermediates, f.ValidityPeriodStart, f.ValidityPeriodEnd))
	}
	if err := merge(r.logs, tr.RekorLogs()); err != nil {
		return err
	}
	if err := merge(r.ctLogs, tr.CTLogs()); err != nil {
		return err
	}
	r.stampers = append(r.stampers, tr.TimestampingAuthorities()...)
	return nil
}

// merge adds logs. One id with two meanings is refused: which of them holds would depend on the order of lines.
func merge(into map[string]*trustedLog, logs map[string]*root.TransparencyLog) error {
	for id, l := range logs {
		der, err := x509.MarshalPKIXPublicKey(l.PublicKey)
		if err != nil {
			return fmt.Errorf("log %s: unsupported key", id)
		}
		t := &trustedLog{l, sha256.Sum256(der)}
		if old := into[id]; old != nil && (old.id != t.id || old.BaseURL != l.BaseURL ||
			!old.ValidityPeriodStart.Equal(l.ValidityPeriodStart) || !old.ValidityPeriodEnd.Equal(l.ValidityPeriodEnd)) {
			return fmt.Errorf("log %s is described twice, and differently", id)
		}
		into[id] = t
	}
	return nil
}

// SHA256 returns the digest of the file in lower-case hex.
func (r *TrustedRoots) SHA256() string { return hex.EncodeToString(r.sum[:]) }

// authority is a certificate authority with the certificates that issue in its name. Their own signatures are checked
// once, here; whether they and the root were valid at the time of a signature is checked for each signature.
type authority struct {
	from, to time.Time // when the trusted root counts it; both ends in the span, zero open
	issuers  []issuer
}

// issuer is a certificate that issues, and its chain up to the root, itself first.
type issuer struct {
	pool  *x509.CertPool
	chain []*x509.Certificate
}

func newAuthority(top *x509.Certificate, intermediates []*x509.Certificate, from, to time.Time) *authority {
	a := &authority{from: from, to: to}
	for _, c := range append([]*x509.Certificate{top}, intermediates...) {
		if chain := chainOf(c, top, intermediates); chain != nil {
			pool := x509.NewCertPool()
			pool.AddCert(c)
			a.issuers = append(a.issuers, issuer{pool, chain})
		}
	}
	return a
}

// chainOf returns c and what is above it up to top, or nil when c may not issue code-signing certificates under top
// (RFC 5280, section 6). Name constraints above the issuer are not evaluated: such an authority is not used.
func chainOf(c, top *x509.Certificate, intermediates []*x509.Certificate) []*x509.Certificate {
	if top == nil || !c.IsCA || !c.BasicConstraintsValid {
		return nil
	}
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(top)
	common := top.NotBefore // a time at which all could have been valid
	for _, i := range append(slices.Clone(intermediates), c) {
		others.AddCert(i)
	}
	if c.NotBefore.After(common) {
		common = c.NotBefore
	}
	chains, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, CurrentTime: common,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}})
	if err != nil {
		return nil
	}
	for _, chain := range chains {
		if soundChain(chain) {
			return chain
		}
	}
	return nil
}

func soundChain(chain []*x509.Certificate) bool {
	for below, c := range chain { // below: authorities between c and the signer's certificate
		if c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0 {
			return false
		}
		if (c.MaxPathLen > 0 || c.MaxPathLenZero) && below > c.MaxPathLen {
			return false
		}
		if below > 0 && constrained(c) {
			return false
		}
	}
	return true
}

func constrained(c *x509.Certificate) bool {
	return c.PermittedDNSDomainsCritical || len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedIPRanges)+
		len(c.ExcludedIPRanges)+len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses)+
		len(c.PermittedURIDomains)+len(c.ExcludedURIDomains) > 0
}

// errNoChain means that no authority issued the certificate at all; otherwise a time was outside a window.
var errNoChain = errors.New("certificate chains to no trusted authority")

// issued checks that one of the authorities issued leaf, and that leaf, chain and authority were valid at every one of
// the times. It returns the chain above leaf.
func issued(leaf *x509.Certificate, authorities []*authority, times []time.Time) ([]*x509.Certificate, error) {
	why := errNoChain
	for _, a := range authorities {
		for _, i := range a.issuers {
			if !bytes.Equal(leaf.RawIssuer, i.chain[0].RawSubject) {
				continue
			}
			// the signature is checked at a time of the certificate's own, then each time against all windows
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: i.pool, CurrentTime: within(leaf, i.chain[0]),
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}); err != nil {
				var invalid x509.CertificateInvalidError
				if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
					why = fmt.Errorf("certificate not valid at any time: its issuer's window is %s to %s", stamp(i.chain[0].NotBefore), stamp(i.chain[0].NotAfter))
				}
				continue
			}
			if err := a.valid(leaf, i.chain, times); err != nil {
				why = err
				continue
			}
			return i.chain, nil
		}
	}
	return nil, why
}

// within is a time at which the leaf's own window is open and, if there is one, its issuer's too.
func within(leaf, issuer *x509.Certificate) time.Time {
	if issuer.NotBefore.After(leaf.NotBefore) {
		return issuer.NotBefore
	}
	return leaf.NotBefore
}

// valid holds every time against every window (cosign CVE-2026-24122).
func (a *authority) valid(leaf *x509.Certificate, chain []*x509.Certificate, times []time.Time) error {
	for _, t := range times {
		if t.Before(a.from) || !a.to.IsZero() && t.After(a.to) {
			return fmt.Errorf("authority not valid at %s", stamp(t))
		}
		for i, c := range append([]*x509.Certificate{leaf}, chain...) {
			if t.Before(c.NotBefore) || t.After(c.NotAfter) {
				return fmt.Errorf("%scertificate not valid at %s, only %s to %s", [...]string{"", "issuer's "}[min(i, 1)], stamp(t), stamp(c.NotBefore), stamp(c.NotAfter))
			}
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
