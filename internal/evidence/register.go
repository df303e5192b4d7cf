package evidence

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// Recorded is an entry of a transparency log that a principal of the policy made. The log holds digests: what was said has
// to be at hand.
type Recorded struct {
	Principal string
	Index     int64
	Digest    string // "sha256:…": of what was signed (Rekor v2), or of the statement (Rekor v1)
}

// Register is what a log holds of principals of a policy.
type Register struct {
	Origin  string
	Entries []Recorded
	Size    int64 // of the tree whose every entry was read; 0 for a search, which proves nothing about what it leaves out
	logs    []*trustedLog
	Bundles []*Bundle // statements that the log itself handed out, with their entries; verified no more than any other bundle
}

// Fetch reads what lies at a path below a log's address; with a question it is sent as JSON.
type Fetch func(ctx context.Context, path string, question []byte, limit int) ([]byte, error)

// Search says whose entries are looked for, and by which logs.
type Search struct {
	Fetch  Fetch
	Origin string // host name of the log, as checkpoints of the trusted root's log of that name say it
	Roots  *TrustedRoots
	Trust  *trust.Trust
}

// logs are the trusted logs of the search's name: the evidence does not choose which log is believed.
func (s *Search) logs() []*trustedLog {
	var out []*trustedLog
	if s.Roots == nil {
		return nil
	}
	for _, l := range s.Roots.logs {
		if u, err := url.Parse(l.BaseURL); err == nil && u.Hostname() == s.Origin {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b *trustedLog) int { return bytes.Compare(a.id[:], b.id[:]) })
	return out
}

// ReadTiles reads every entry of a Rekor v2 log (C2SP tlog-tiles): the signed checkpoint, and the bundles of entries, of which
// the root is computed anew. An entry that is left out, added or altered gives another root.
func (s *Search) ReadTiles(ctx context.Context) (*Register, error) {
	logs := s.logs()
	if len(logs) == 0 {
		return nil, fmt.Errorf("the trusted root names no log at %q", cut(s.Origin))
	}
	text, err := s.Fetch(ctx, "checkpoint", nil, MaxCheckpoint)
	if err != nil {
		return nil, err
	}
	entry := &logEntry{kind: "hashedrekord", version: "0.0.2", proof: &inclusionProof{checkpoint: string(text)}}
	var c checkpoint
	for _, l := range logs {
		if c, err = entry.checkpoint(l); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		return nil, err
	case c.size > MaxLogSize:
		return nil, fmt.Errorf("holds %d entries, at most %d are read", c.size, MaxLogSize)
	}
	out := &Register{Origin: c.origin, Size: int64(c.size), logs: logs}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	read := 0
	for n := uint64(0); n < c.size; n += tileWidth {
		width := min(c.size-n, tileWidth)
		bundle, err := s.Fetch(ctx, tilePath(n/tileWidth, width), nil, maxEntryBundle)
		if err != nil {
			return nil, err
		}
		if read += len(bundle); read > MaxLogBytes {
			return nil, fmt.Errorf("its entries exceed %d bytes", MaxLogBytes)
		}
		bodies, err := splitBundle(bundle, int(width))
		if err != nil {
			return nil, fmt.Errorf("entries from %d: %w", n, err)
		}
		for i, body := range bodies {
			if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(body), nil); err != nil {
				return nil, err
			}
			if who, digest := s.entryV2(body); who != "" {
				out.Entries = append(out.Entries, Recorded{who, int64(n) + int64(i), digest})
			}
		}
	}
	root := rfc6962.DefaultHasher.EmptyRoot()
	if c.size > 0 {
		if root, err = tree.GetRootHash(nil); err != nil {
			return nil, err
		}
	}
	if !bytes.Equal(root, c.root) {
		return nil, errors.New("its entries do not give the root that its checkpoint signs")
	}
	return out, nil
}

// Before tells whether the state of the log that was read is older than a bundle's entry in it.
func (r *Register) Before(b *Bundle) bool {
	for _, e := range b.entries {
		for _, l := range r.logs {
			if e.rekor2() && bytes.Equal(e.logID, l.ID) && e.index >= r.Size {
				return true
			}
		}
	}
	return false
}

// tilePath is where a bundle of entries lies: its number in groups of three digits (C2SP tlog-tiles, "Tiles").
func tilePath(n, width uint64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	if width < tileWidth {
		path += fmt.Sprintf(".p/%d", width)
	}
	return "tile/entries/" + path
}

// splitBundle reads a bundle of entries: each with its length in two bytes before it, and nothing behind the last.
func splitBundle(data []byte, want int) ([][]byte, error) {
	var out [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) || len(out) == want {
			return nil, errors.New("malformed bundle of entries")
		}
		n := int(binary.BigEndian.Uint16(data))
		out, data = append(out, data[2:2+n]), data[2+n:]
	}
	if len(out) != want {
		return nil, fmt.Errorf("%d entries, want %d", len(out), want)
	}
	return out, nil
}

// entryV2 tells who of the policy made an entry of Rekor v2, and of what; "" where nobody did.
func (s *Search) entryV2(body []byte) (who, digest string) {
	v, err := strictjson.Parse(body, bodyLimits)
	if err != nil {
		return "", ""
	}
	h := v.At("spec", "hashedRekordV002")
	verifier := h.At("signature", "verifier")
	if der, err := sized(verifier.At("publicKey", "rawBytes"), MaxCertificate); err == nil && len(der) > 0 {
		who = s.keyed(der)
	} else if der, err := sized(verifier.At("x509Certificate", "rawBytes"), MaxCertificate); err == nil {
		who = s.certified(der)
	}
	algorithm, _ := h.At("data", "algorithm").Text()
	sum, err := sized(h.At("data", "digest"), MaxName)
	if err != nil || hashNames[algorithm] == "" {
		return who, "" // of something that is never at hand
	}
	return who, hashNames[algorithm] + ":" + hex.EncodeToString(sum)
}

// keyed names the principal of a key. One that the policy revokes speaks for nobody: neither its votes nor its dissent count.
func (s *Search) keyed(spki []byte) string {
	if _, revoked := s.Trust.RevokedDER(spki); revoked {
		return ""
	}
	if k, ok := s.Trust.PublicKey(spki); ok {
		return k.Principal
	}
	return ""
}

// certified names the principal whose certificate an authority issued. When it signed is not known: the certificate's own
// beginning stands for it.
func (s *Search) certified(der []byte) string {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	if _, revoked := s.Trust.RevokedDER(der, leaf.RawSubjectPublicKeyInfo); revoked {
		return ""
	}
	if name, ok := s.Trust.Pinned(der); ok {
		return name
	}
	if who := s.keyed(leaf.RawSubjectPublicKeyInfo); who != "" {
		return who
	}
	c, err := describe(leaf)
	if err != nil {
		return ""
	}
	who := s.Trust.Identity([]string{c.Identity}, c.Issuer)
	if len(who) != 1 {
		return ""
	}
	var authorities []*authority
	if who[0].Own {
		for _, r := range who[0].Roots {
			authorities = append(authorities, newAuthority(r, who[0].Intermediates, time.Time{}, time.Time{}))
		}
	} else {
		authorities = s.Roots.authorities
	}
	if _, err := issued(usable(leaf), authorities, []time.Time{leaf.NotBefore}); err != nil {
		return ""
	}
	return who[0].Principal
}

// Digests returns how logs know what was signed: the digests of the signed text by each algorithm, and that of the statement
// itself; nil for a signature over an artefact.
func (b *Bundle) Digests() []string {
	if b.envelope == nil {
		return nil
	}
	text := PAE(b.envelope.payloadType, b.envelope.payload)
	out := []string{"sha256:" + hexSum(b.envelope.payload)}
	for name, h := range map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512} {
		out = append(out, name+":"+hex.EncodeToString(sumOf(h, text)))
	}
	return out
}
