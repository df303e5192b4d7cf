// Package sign makes Sigstore bundles: with a key from a file, with a key that a KMS keeps, or keyless, with a certificate
// for an identity token. Log entries and timestamps are asked for at the services that a signing config names, and at no
// others: no address is built in.
//
// What it promises: the bundle is of version 0.3 and canonical JSON; a key never leaves its file or its KMS; a service
// that fails for a while is asked again a bounded number of times, with jitter; a service that keeps failing ends in an
// inconclusive error and in no bundle, so that nothing half-witnessed is ever shipped; what was signed is verified
// against the trusted root, where one is given, before it is handed out.
//
// Verifying needs nothing of this package, and links nothing of it.
package sign

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gowebpki/jcs"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Signer signs. It is safe for use by one goroutine at a time.
type Signer struct {
	opt     Options
	trusted *evidence.TrustedRoots
	fulcio  *service
	stamps  []*service
	logs    []*service
	version uint32   // of the logs
	where   []string // hosts, for errors
}

// Options say who signs and who witnesses it.
type Options struct {
	// Key signs; nil is keyless.
	Key *Key
	// Token gives the identity token of a keyless signer, see Ambient and Interactive.
	Token func(context.Context) (string, error)
	// Config names the services; nil asks nobody, which only a key can do.
	Config *Config
	// TrustedRoot is what the bundle is verified against before it is handed out; nil leaves that to others.
	TrustedRoot []byte
	// Remote opens the connections; required with Config.
	Remote *remote.Client

	wait time.Duration // before the first repetition; 0 is firstWait
}

// New checks that what is asked for can be done.
func New(opt Options) (*Signer, error) {
	s := &Signer{opt: opt}
	switch {
	case opt.Key == nil && opt.Token == nil:
		return nil, fault.Usagef("signer", "neither key nor identity token")
	case opt.Key == nil && opt.Config == nil:
		return nil, fault.Usagef("signer", "keyless signing needs a signing config").WithHint("name one with --signing-config")
	case opt.Config != nil && opt.Remote == nil:
		return nil, fault.Usagef("signer", "no way to reach the services of the signing config")
	}
	if opt.TrustedRoot != nil {
		tr, err := evidence.ParseTrustedRoots("trusted root", opt.TrustedRoot)
		if err != nil {
			return nil, err
		}
		s.trusted = tr
	}
	if opt.Config == nil {
		return s, nil
	}
	return s, s.services(opt.Config)
}

func (s *Signer) services(c *Config) error {
	client := &http.Client{Transport: &retrying{base: s.opt.Remote.HTTP().Transport, wait: s.opt.wait}, Timeout: callTimeout * attempts}
	add := func(url string) *service {
		s.where = append(s.where, url)
		return &service{url, client}
	}
	if s.opt.Key == nil {
		url, err := c.authority()
		if err != nil {
			return err
		}
		s.fulcio = add(url)
	}
	stamps, err := c.timestamps()
	if err != nil {
		return err
	}
	for _, url := range stamps {
		s.stamps = append(s.stamps, add(url))
	}
	logs, version, err := c.logs()
	if err != nil {
		return err
	}
	for _, url := range logs {
		s.logs = append(s.logs, add(url))
	}
	s.version = version
	if version == 2 && len(logs) > 0 && len(stamps) == 0 && s.opt.Key == nil {
		return fault.Usagef("signing config", "a log of version 2 gives no time: it needs a timestamp authority beside it")
	}
	return nil
}

// Statement signs an in-toto statement and returns the bundle.
func (s *Signer) Statement(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > evidence.MaxPayload {
		return nil, fault.Usagef("statement", "exceeds %d bytes", evidence.MaxPayload)
	}
	return s.sign(ctx, payload, false)
}

// Message signs an artefact itself and returns the bundle.
func (s *Signer) Message(ctx context.Context, artefact []byte) ([]byte, error) {
	return s.sign(ctx, artefact, true)
}

func (s *Signer) sign(ctx context.Context, content []byte, message bool) ([]byte, error) {
	b, err := s.bundle(ctx, content, message)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	data, err := marshal(b)
	if err != nil {
		return nil, err
	}
	return data, s.verify(data, content, message)
}

// bundle signs, and then asks every service for what it has to say of the signature.
func (s *Signer) bundle(ctx context.Context, content []byte, message bool) (*bundlepb.Bundle, error) {
	p, err := s.keypair(message)
	if err != nil {
		return nil, err
	}
	signed := content
	if !message {
		signed = evidence.PAE(evidence.PayloadType, content)
	}
	sig, digest, err := p.SignData(ctx, signed)
	if err != nil {
		return nil, err
	}
	b := &bundlepb.Bundle{MediaType: mediaType, VerificationMaterial: &bundlepb.VerificationMaterial{}}
	if message {
		b.Content = &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
			MessageDigest: &commonpb.HashOutput{Algorithm: p.details.GetProtoHashType(), Digest: digest}, Signature: sig}}
	} else {
		b.Content = &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dsse.Envelope{PayloadType: evidence.PayloadType, Payload: content, Signatures: []*dsse.Signature{{Sig: sig}}}}
	}
	l := &logged{bundle: b, key: p.key.public, der: p.key.spki, pem: p.key.PublicPEM()}
	if s.opt.Key == nil {
		token, err := s.opt.Token(ctx)
		if err != nil {
			return nil, err
		}
		if l.der, err = s.fulcio.certify(ctx, p, token); err != nil {
			return nil, err
		}
		l.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.der})
		b.VerificationMaterial.Content = &bundlepb.VerificationMaterial_Certificate{Certificate: &commonpb.X509Certificate{RawBytes: l.der}}
	} else {
		b.VerificationMaterial.Content = &bundlepb.VerificationMaterial_PublicKey{PublicKey: &commonpb.PublicKeyIdentifier{Hint: p.hint()}}
	}
	return b, s.witness(ctx, l, sig)
}

// witness asks timestamp authorities and logs.
func (s *Signer) witness(ctx context.Context, l *logged, sig []byte) error {
	m := l.bundle.VerificationMaterial
	for _, a := range s.stamps {
		stamp, err := a.stamp(ctx, sig)
		if err != nil {
			return err
		}
		if m.TimestampVerificationData == nil {
			m.TimestampVerificationData = &bundlepb.TimestampVerificationData{}
		}
		m.TimestampVerificationData.Rfc3161Timestamps = append(m.TimestampVerificationData.Rfc3161Timestamps, &commonpb.RFC3161SignedTimestamp{SignedTimestamp: stamp})
	}
	for _, log := range s.logs {
		ask := log.classic
		if s.version == 2 {
			ask = log.tiles
		}
		entry, err := ask(ctx, l)
		if err != nil {
			return err
		}
		m.TlogEntries = append(m.TlogEntries, entry)
	}
	return nil
}

// keypair is the key, or for a keyless signer one that lives as long as this signature takes.
func (s *Signer) keypair(message bool) (*pair, error) {
	if s.opt.Key != nil {
		return s.opt.Key.pair(message)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fault.Inconclusivef("signer", "no key could be made: %w", err)
	}
	key, err := newKey("signer", private.Public(), private, nil)
	if err != nil {
		return nil, err
	}
	return key.pair(message)
}

// mediaType is the version of the bundles that are written.
const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// failed says which service was in the way and that nothing was signed.
func (s *Signer) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var classified *fault.Error
	if errors.As(err, &classified) {
		return classified
	}
	// foreign text: a server's answer may stand in it
	return fault.Inconclusivef("signing", "not done: %s", fault.Quote(shorten(err.Error()))).
		WithHint("the unsigned statement is kept: sign it once %s can be reached", strings.Join(s.hosts(), ", "))
}

func (s *Signer) hosts() []string {
	if len(s.where) == 0 {
		return []string{"the signer"}
	}
	var out []string
	for _, w := range s.where {
		out = append(out, remote.Redact(w))
	}
	return out
}

func shorten(text string) string {
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return text
}

// marshal writes the bundle as canonical JSON: protojson itself promises no bytes.
func marshal(b *bundlepb.Bundle) ([]byte, error) {
	data, err := protojson.Marshal(b)
	if err == nil {
		data, err = jcs.Transform(data)
	}
	if err != nil {
		return nil, fault.Failf("bundle", "cannot be written: %w", err)
	}
	return data, nil
}

// retrying asks again what a service could not answer for a while: no answer, 429 or a server's error.
type retrying struct {
	base http.RoundTripper
	wait time.Duration // before the first repetition; 0 is firstWait
}

// RoundTrip implements http.RoundTripper.
func (r *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	var last error
	for attempt := range attempts {
		if attempt > 0 {
			if err := r.pause(req.Context(), attempt); err != nil {
				return nil, err
			}
			if req.Body != nil {
				if req.GetBody == nil {
					return nil, last
				}
				body, err := req.GetBody()
				if err != nil {
					return nil, err
				}
				req = req.Clone(req.Context())
				req.Body = body
			}
		}
		resp, err := r.base.RoundTrip(req)
		switch {
		case err != nil && (req.Context().Err() != nil || fault.ClassOf(err) == fault.Usage):
			return nil, err
		case err != nil:
			last = fault.Inconclusivef(remote.Redact(req.URL.String()), "unreachable after %d attempts", attempt+1)
		case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
			last = fault.Inconclusivef(remote.Redact(req.URL.String()), "answered %d after %d attempts", resp.StatusCode, attempt+1)
			resp.Body.Close()
		default:
			return resp, nil
		}
	}
	return nil, hinted(last)
}

func hinted(err error) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Hint == "" {
		e.Hint = "the unsigned statement is kept: sign it once the service can be reached"
	}
	return err
}

func (r *retrying) pause(ctx context.Context, attempt int) error {
	wait := r.wait
	if wait == 0 {
		wait = firstWait
	}
	t := time.NewTimer(jitter(wait << (attempt - 1)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
