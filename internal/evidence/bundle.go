package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Bundle is one signature with what is needed to check it, as it was read: nothing of it is verified, and nothing of
// it can be reached but through Verify. The zero Bundle never verifies.
type Bundle struct {
	name   string
	format string
	sum    [32]byte
	at     int // where it begins in the file that it was read from
	length int

	leaf     *x509.Certificate // signer's certificate; nil when a key signed
	hint     string            // how the signer calls the key; picks the order of trial, nothing else
	keyed    bool              // a key signed
	entries  []logEntry
	stamps   [][]byte // RFC 3161 responses
	envelope *envelope
	message  *message

	once      sync.Once // guards what is read of the payload, which is not verified by being read
	statement *Statement
	unread    error
}

// payload reads the statement of an envelope, once.
func (b *Bundle) payload() (*Statement, error) {
	b.once.Do(func() { b.statement, b.unread = parseStatement(b.envelope.payload) })
	return b.statement, b.unread
}

// Hint is where a bundle may be of use. It is an unverified claim, and for choosing what to look at alone.
type Hint struct {
	Digests   []string // of the artefacts, as "sha256:…", "sha384:…" or "sha512:…"
	Any       bool     // it does not say of what it speaks, or not so that it could be read
	Predicate string   // predicate type, "" for a signature over an artefact
	Payload   string   // digest of the signed statement
}

// Hint returns what the bundle says it is about.
func (b *Bundle) Hint() Hint {
	if b.message != nil {
		h := Hint{Any: b.message.algorithm == ""}
		if !h.Any {
			h.Digests = []string{b.message.algorithm + ":" + hex.EncodeToString(b.message.digest)}
		}
		return h
	}
	if b.envelope == nil {
		return Hint{Any: true}
	}
	h := Hint{Payload: hexSum(b.envelope.payload)}
	s, err := b.payload()
	if err != nil {
		h.Any = true
		return h
	}
	h.Predicate = s.PredicateType
	for _, r := range s.Subject {
		for algorithm := range hashes {
			if sum := r.Digest[algorithm]; sum != "" {
				h.Digests = append(h.Digests, algorithm+":"+sum)
			}
		}
	}
	h.Any = len(h.Digests) == 0
	return h
}

// message is a signature over the bytes of an artefact.
type message struct {
	algorithm string // of digest: sha256, sha384 or sha512; "" when the format holds none
	digest    []byte
	signature []byte
}

// Formats of evidence.
const (
	FormatBundle01 = "sigstore-bundle-0.1"
	FormatBundle02 = "sigstore-bundle-0.2"
	FormatBundle03 = "sigstore-bundle-0.3"
	FormatEnvelope = "dsse-envelope"
	FormatCosign   = "cosign-bundle" // what cosign wrote before there were Sigstore bundles
)

// mediaTypes are the names of the bundle versions that are read.
var mediaTypes = map[string]string{
	"application/vnd.dev.sigstore.bundle+json;version=0.1": FormatBundle01,
	"application/vnd.dev.sigstore.bundle+json;version=0.2": FormatBundle02,
	"application/vnd.dev.sigstore.bundle+json;version=0.3": FormatBundle03,
	"application/vnd.dev.sigstore.bundle.v0.3+json":        FormatBundle03,
}

// Parse reads one bundle, DSSE envelope or legacy cosign bundle. The name is only for errors. It is strict: a key that
// is not known, given twice or in another letter case, bytes behind the document and counts above the limits are refused.
func Parse(name string, data []byte) (*Bundle, error) {
	if len(data) > MaxBundle {
		return nil, malformed(name, fmt.Errorf("exceeds %d bytes", MaxBundle))
	}
	v, err := strictjson.Parse(data, bundleLimits)
	if err != nil {
		return nil, malformed(name, err)
	}
	return parseValue(name, v)
}

func parseValue(name string, v strictjson.Value) (*Bundle, error) {
	b := &Bundle{name: name, sum: sha256.Sum256(v.Raw()), length: len(v.Raw())}
	read := b.readBundle
	switch {
	case v.Kind() != "object":
		return nil, malformed(name, errors.New("want object, got "+v.Kind()))
	case !v.At("mediaType").Missing():
	case !v.At("payloadType").Missing():
		read = b.readEnvelope
	case !v.At("base64Signature").Missing():
		read = b.readCosign
	default:
		return nil, malformed(name, errors.New("neither bundle nor envelope: no mediaType, no payloadType"))
	}
	if err := read(v); err != nil {
		return nil, malformed(name, err)
	}
	return b, nil
}

func malformed(name string, err error) error {
	var classified *fault.Error
	if errors.As(err, &classified) {
		return err
	}
	return fault.Failf(object(name), "malformed bundle: %w", err)
}

// object is how an error calls the evidence.
func object(name string) string {
	if name == "" {
		return "bundle"
	}
	return fault.Quote(name)
}

// Name returns what the bundle was called when it was read.
func (b *Bundle) Name() string { return b.name }

// Span returns where the bundle stands in the file that it was read from.
func (b *Bundle) Span() (at, length int) { return b.at, b.length }

// SHA256 returns the digest of the bundle's bytes in lower-case hex.
func (b *Bundle) SHA256() string { return hex.EncodeToString(b.sum[:]) }

// Format returns one of the formats above.
func (b *Bundle) Format() string { return b.format }

func (b *Bundle) fail(format string, args ...any) *fault.Error {
	return fault.Failf(object(b.name), format, args...)
}
