package evidence_test

import (
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// detachedOf is what a commit would keep of a bundle: its entries without their bodies, its timestamps without their status.
func detachedOf(t testing.TB, b *evidencetest.Bundle) evidence.Detached {
	t.Helper()
	d := evidence.Detached{Signed: b.Artefact, Signature: b.Signatures[0], Leaf: b.Leaf}
	for _, e := range b.Entries {
		raw, err := proto.Marshal(detachedEntry(e))
		if err != nil {
			t.Fatal(err)
		}
		d.Entries = append(d.Entries, raw)
	}
	for _, s := range b.Stamps {
		var response struct{ Status, Token asn1.RawValue }
		if _, err := asn1.Unmarshal(s, &response); err != nil {
			t.Fatal(err)
		}
		d.Timestamps = append(d.Timestamps, response.Token.FullBytes)
	}
	return d
}

func detachedEntry(e *evidencetest.Entry) *rekor.TransparencyLogEntry {
	m := &rekor.TransparencyLogEntry{LogIndex: e.Index, LogId: &common.LogId{KeyId: e.LogID}, KindVersion: &rekor.KindVersion{Kind: e.Kind, Version: e.Version},
		IntegratedTime: e.Integrated, InclusionPromise: &rekor.InclusionPromise{SignedEntryTimestamp: e.Promise}}
	if !e.NoProof {
		m.InclusionProof = &rekor.InclusionProof{LogIndex: e.ProofIndex, RootHash: e.RootHash, TreeSize: e.TreeSize, Hashes: e.Hashes, Checkpoint: &rekor.Checkpoint{Envelope: e.Checkpoint}}
	}
	return m
}

// TestDetached: the time of a signature is vouched for by witnesses of exactly that signature, or by none.
func TestDetached(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "detached")
	roots, err := evidence.ParseTrustedRoots("root.json", i.TrustedRoot(evidencetest.Spans{}))
	if err != nil {
		t.Fatal(err)
	}
	other := evidencetest.New(t, "another")
	elsewhere, err := evidence.ParseTrustedRoots("root.json", other.TrustedRoot(evidencetest.Spans{}))
	if err != nil {
		t.Fatal(err)
	}
	make1 := func(l evidencetest.Leaf) *evidencetest.Bundle {
		return i.With(t).Message([]byte("signed attributes"), l)
	}
	change := func(f func(m *rekor.TransparencyLogEntry)) func(d *evidence.Detached) {
		return func(d *evidence.Detached) {
			var m rekor.TransparencyLogEntry
			if err := proto.Unmarshal(d.Entries[0], &m); err != nil {
				t.Fatal(err)
			}
			f(&m)
			raw, err := proto.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			d.Entries[0] = raw
		}
	}
	stranger := make1(evidencetest.Leaf{Identity: "https://forge.example/other"})
	for name, tc := range map[string]struct {
		leaf   evidencetest.Leaf
		roots  *evidence.TrustedRoots
		change func(d *evidence.Detached)
		at     time.Time // zero: nothing is vouched for
		err    string
	}{
		"honest":                           {at: evidencetest.At},
		"the entry alone":                  {change: func(d *evidence.Detached) { d.Timestamps = nil }, at: evidencetest.At},
		"the timestamp alone":              {change: func(d *evidence.Detached) { d.Entries = nil }, at: evidencetest.At},
		"promise without proof":            {change: change(func(m *rekor.TransparencyLogEntry) { m.InclusionProof = nil }), at: evidencetest.At},
		"nothing":                          {change: func(d *evidence.Detached) { d.Entries, d.Timestamps = nil, nil }},
		"other roots":                      {roots: elsewhere},
		"no roots":                         {roots: (*evidence.TrustedRoots)(nil)},
		"not published":                    {leaf: evidencetest.Leaf{NoSCT: true}},
		"another log's promise to publish": {leaf: evidencetest.Leaf{CTKey: evidencetest.Key("x")}},
		"other bytes":                      {change: func(d *evidence.Detached) { d.Signed = []byte("other attributes") }, err: "not proven"},
		"another signature":                {change: func(d *evidence.Detached) { d.Signature = stranger.Signatures[0] }, err: "not proven"},
		"another certificate":              {change: func(d *evidence.Detached) { d.Leaf = stranger.Leaf }, err: "not proven"},
		"an entry of another":              {change: func(d *evidence.Detached) { d.Entries = detachedOf(t, stranger).Entries }, err: "not proven"},
		"another time":                     {change: change(func(m *rekor.TransparencyLogEntry) { m.IntegratedTime-- }), err: "promise is not signed"},
		"another index":                    {change: change(func(m *rekor.TransparencyLogEntry) { m.LogIndex++ }), err: "promise is not signed"},
		"no promise":                       {change: change(func(m *rekor.TransparencyLogEntry) { m.InclusionPromise = nil; m.InclusionProof = nil }), err: "neither proof nor promise"},
		"a proof that leads nowhere":       {change: change(func(m *rekor.TransparencyLogEntry) { m.InclusionProof.Hashes[0][0] ^= 1 }), err: "does not lead"},
		"a short hash":                     {change: change(func(m *rekor.TransparencyLogEntry) { m.InclusionProof.Hashes[0] = m.InclusionProof.Hashes[0][1:] }), err: "malformed"},
		"a body of its own":                {change: change(func(m *rekor.TransparencyLogEntry) { m.CanonicalizedBody = []byte("{}") }), err: "malformed"},
		"another kind":                     {change: change(func(m *rekor.TransparencyLogEntry) { m.KindVersion.Kind = "rekord\x1b" }), err: "unsupported log entry"},
		"unknown fields":                   {change: func(d *evidence.Detached) { d.Entries[0] = append(d.Entries[0], 0xfa, 0x07, 1, 'x') }, err: "malformed"},
		"no entry at all":                  {change: func(d *evidence.Detached) { d.Entries[0] = []byte("\xff\xff") }, err: "malformed"},
		"many":                             {change: func(d *evidence.Detached) { d.Entries = make([][]byte, 100) }, err: "more than"},
		"a timestamp of other bytes":       {change: func(d *evidence.Detached) { d.Entries, d.Timestamps = nil, detachedOf(t, stranger).Timestamps }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := detachedOf(t, make1(tc.leaf))
			if tc.change != nil {
				tc.change(&d)
			}
			r := roots
			if strings.HasSuffix(name, " roots") {
				r = tc.roots
			}
			at, err := r.TimeOf(d)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || !at.IsZero() {
					t.Fatalf("%v, %v; want %q", at, err, tc.err)
				}
				return
			}
			if err != nil || !at.Equal(tc.at) {
				t.Fatalf("%v, %v; want %v", at, err, tc.at)
			}
		})
	}
	for _, a := range roots.Authorities() {
		if a.Root == nil || !a.Root.Equal(i.Root) || len(a.Intermediates) != 1 {
			t.Errorf("authority %+v", a)
		}
	}
	if len(roots.Authorities()) != 1 || len((*evidence.TrustedRoots)(nil).Authorities()) != 0 {
		t.Error("authorities")
	}
}

// FuzzDetachedEntry: whatever an entry holds, no time comes of one that the log did not promise.
func FuzzDetachedEntry(f *testing.F) {
	i := evidencetest.New(f, "fuzz")
	roots, err := evidence.ParseTrustedRoots("root.json", i.TrustedRoot(evidencetest.Spans{}))
	if err != nil {
		f.Fatal(err)
	}
	d := detachedOf(f, i.Message([]byte("signed attributes"), evidencetest.Leaf{}))
	d.Timestamps = nil
	promised := i.Message([]byte("signed attributes"), evidencetest.Leaf{}).Entries[0]
	f.Add(d.Entries[0])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := evidence.Detached{Signed: d.Signed, Signature: d.Signature, Leaf: d.Leaf, Entries: [][]byte{raw}}
		at, err := roots.TimeOf(d)
		if err != nil && !at.IsZero() {
			t.Fatalf("%v with %v", at, err)
		}
		var m rekor.TransparencyLogEntry
		if !at.IsZero() && (proto.Unmarshal(raw, &m) != nil || m.IntegratedTime != promised.Integrated || at.Unix() != promised.Integrated) {
			t.Fatalf("%v of %x", at, raw)
		}
	})
}
