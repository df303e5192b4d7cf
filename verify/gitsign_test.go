package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
	"google.golang.org/protobuf/proto"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// gitsign signs a payload as gitsign does: CMS with a certificate of ten minutes, and the log's entry outside the signed part.
func gitsign(t *testing.T, i *evidencetest.Instance, payload string, at time.Time, logged bool) string {
	t.Helper()
	key := evidencetest.Key("committer")
	leaf, _ := i.Certificate(evidencetest.Leaf{Key: key, From: at.Add(-time.Minute)})
	raw := func(v any) []byte {
		out, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	attribute := func(oid asn1.ObjectIdentifier, value []byte) []byte {
		var b cryptobyte.Builder
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(value) })
		})
		return b.BytesOrPanic()
	}
	data, sha, ecdsaSHA := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	digest := sha256.Sum256([]byte(payload))
	list := [][]byte{attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}, raw(data)),
		attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}, raw(digest[:])), attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}, raw(at.UTC()))}
	slices.SortFunc(list, bytes.Compare)
	attributes := bytes.Join(list, nil)
	var set cryptobyte.Builder
	set.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	bundle := i.Message(set.BytesOrPanic(), evidencetest.Leaf{})
	bundle.Leaf, bundle.Key = leaf, key
	bundle.Resign()
	algorithm := func(b *cryptobyte.Builder, oid asn1.ObjectIdentifier) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
	}
	context := func(n uint8) der.Tag { return der.Tag(n).ContextSpecific().Constructed() }
	var out cryptobyte.Builder
	out.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2})
		b.AddASN1(context(0), func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(der.SET, func(b *cryptobyte.Builder) { algorithm(b, sha) })
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(data) })
				b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddBytes(leaf.Raw) })
				b.AddASN1(der.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1Int64(1)
						b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(leaf.RawIssuer); b.AddASN1BigInt(leaf.SerialNumber) })
						algorithm(b, sha)
						b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
						algorithm(b, ecdsaSHA)
						b.AddASN1OctetString(bundle.Signatures[0])
						if logged {
							b.AddASN1(context(1), func(b *cryptobyte.Builder) {
								b.AddBytes(attribute(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 3, 1}, raw(entryOf(t, i, bundle, at))))
							})
						}
					})
				})
			})
		})
	})
	text := base64.StdEncoding.EncodeToString(out.BytesOrPanic())
	var lines strings.Builder
	for ; len(text) > 64; text = text[64:] {
		lines.WriteString(text[:64] + "\n")
	}
	return "-----BEGIN SIGNED MESSAGE-----\n" + lines.String() + text + "\n-----END SIGNED MESSAGE-----\n"
}

// entryOf is the log's entry of what the bundle now holds, without its body.
func entryOf(t *testing.T, i *evidencetest.Instance, b *evidencetest.Bundle, at time.Time) []byte {
	t.Helper()
	e := b.Entries[0]
	e.Body, e.Integrated = b.Body1(), at.Unix()
	e.Promise = i.Promise(e)
	out, err := proto.Marshal(&rekor.TransparencyLogEntry{LogIndex: e.Index, LogId: &common.LogId{KeyId: e.LogID}, IntegratedTime: e.Integrated,
		KindVersion: &rekor.KindVersion{Kind: e.Kind, Version: e.Version}, InclusionPromise: &rekor.InclusionPromise{SignedEntryTimestamp: e.Promise}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGitsignCommits: a certificate of ten minutes counts where a trusted log saw the signature while it was valid; without that
// it is said to have expired, and does not pass.
func TestGitsignCommits(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "gitsign")
	at := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	write := func(name string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root := write("root.json", i.TrustedRoot(evidencetest.Spans{}))
	strangers := write("root.json", evidencetest.New(t, "strangers").TrustedRoot(evidencetest.Spans{}))
	sums := map[string]string{}
	for _, path := range []string{root, strangers} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sums[path] = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	policy := func(identity string) string {
		return write("policy.toml", fmt.Appendf(nil, "format = 1\n[[principal]]\nname = \"ci\"\nidentity = %q\nissuer = %q\n[source]\nsigned-by = \"ci\"\n", identity, evidencetest.Issuer))
	}
	r := newSignedRepo(t)
	r.commit("", "a", "1")
	tree := r.git("rev-parse", "HEAD^{tree}")
	commit := func(logged bool, message string) string {
		head := fmt.Sprintf("tree %s\nauthor A <a@b> %d +0000\ncommitter A <a@b> %d +0000\n", tree, at.Unix(), at.Unix())
		sig := strings.ReplaceAll(strings.TrimSuffix(gitsign(t, i, head+"\nm\n", at, logged), "\n"), "\n", "\n ")
		file := write("commit", []byte(head+"gpgsig "+sig+"\n\n"+message+"\n"))
		id := r.git("hash-object", "-t", "commit", "-w", file)
		r.git("update-ref", "refs/heads/"+id, id)
		return id
	}
	logged, unlogged, altered := commit(true, "m"), commit(false, "m"), commit(true, "other")
	mine, anybody := policy(evidencetest.Identity), policy(strings.Replace(evidencetest.Identity, "acme", "evil", 1))
	for name, tc := range map[string]struct {
		commit, policy, root string
		status, detail       string
	}{
		"logged":                {logged, mine, root, "good", ""},
		"not logged":            {unlogged, mine, root, "good-expired-key", "nothing vouches for the signing time"},
		"altered":               {altered, mine, root, "bad", "digest differs"},
		"another identity":      {logged, anybody, root, "good-untrusted", "not in the policy"},
		"roots of others":       {logged, mine, strangers, "good-untrusted", "does not chain"},
		"nobody's roots at all": {logged, mine, "", "good-untrusted", "no authority is known; no trusted root is at hand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep := r.look(SourceRequest{Commit: tc.commit, PolicyFile: tc.policy, TrustedRoot: tc.root, DataDir: t.TempDir(), CacheDir: t.TempDir()})
			s := rep.Source.Signature
			if s.Status != tc.status || !strings.Contains(s.Detail, tc.detail) || s.Kind != "x509" {
				t.Fatalf("%+v, want %s", s, tc.status)
			}
			if ref := rep.Source.Roots; (tc.root != "") != (ref != nil) || ref != nil && (ref.Name != "root.json" || ref.SHA256 != sums[tc.root]) {
				t.Errorf("trusted roots %+v of %q", ref, tc.root)
			}
			st, _ := checked(t, rep, verdict.CheckSignature)
			if want := map[bool]verdict.Status{true: verdict.StatusPassed, false: verdict.StatusFailed}[tc.status == "good"]; st != want {
				t.Errorf("%s, want %s", st, want)
			}
		})
	}
}
