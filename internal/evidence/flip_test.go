package evidence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// unprotected are the fields of a bundle that no signature or proof covers, and that therefore must decide nothing.
var unprotected = map[string]bool{"hint": true, "keyid": true}

// TestFlippedBit changes one bit of every field of a bundle in turn. What a signature or proof covers must be refused;
// what neither covers may be accepted only if nothing of what is handed out has changed.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "flip")
	root := i.TrustedRoot(evidencetest.Spans{})
	keyed, message := ask(), ask()
	keyed.Principals = []principal{{Name: "signer", Key: string(evidencetest.PublicPEM(t, evidencetest.Key("signer").Public()))}}
	message.Predicates, message.Message = nil, true
	for name, tc := range map[string]struct {
		data    []byte
		options options
	}{
		"rekor 1": {i.Attest(honest(), evidencetest.Leaf{}).JSON(), ask()},
		"rekor 2": {i.AttestV2(honest(), evidencetest.Leaf{}).JSON(), ask()},
		"key":     {i.AttestKey(honest(), evidencetest.Key("signer")).JSON(), keyed},
		"message": {i.Message(tool, evidencetest.Leaf{}).JSON(), message},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := state(t, tc.options, root, tc.data)
			if want == nil {
				t.Fatal("the unchanged bundle is refused")
			}
			var tree any
			if err := json.Unmarshal(tc.data, &tree); err != nil {
				t.Fatal(err)
			}
			n := 0
			walk(tree, "", func(path, text string, set func(string)) {
				for _, altered := range flips(leafName(path), text) {
					set(altered)
					data, err := json.Marshal(tree)
					set(text)
					if err != nil {
						t.Fatal(err)
					}
					n++
					got := state(t, tc.options, root, data)
					if got != nil && !reflect.DeepEqual(got, want) {
						t.Fatalf("%s altered: accepted as %v, was %v", path, got, want)
					}
					if got != nil && !lenient(path) {
						t.Fatalf("%s altered to %q, and accepted", path, altered)
					}
				}
			})
			if n < 100 {
				t.Fatalf("only %d alterations tried", n)
			}
		})
	}
}

// lenient tells whether a change at path may go unnoticed: it is not covered, or stands in the DER around a timestamp.
func lenient(path string) bool {
	return unprotected[leafName(path)] || leafName(path) == "signedTimestamp"
}

// state is everything that a Verified hands out, nil for a refusal.
func state(t *testing.T, o options, root, data []byte) map[string]any {
	t.Helper()
	verified, err := o.judge(root, data)
	if err != nil {
		return nil
	}
	if len(verified) != 1 {
		t.Fatalf("%d verified", len(verified))
	}
	v := verified[0]
	signers, err := json.Marshal(v.Signers())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{"principals": v.Principals(), "signers": string(signers), "times": v.Times(), "logs": v.Logs(), "subject": v.Subject()}
	if v.Statement() != nil {
		out["statement"] = v.Statement().PayloadSHA256()
	}
	return out
}

// walk calls each for every text in a tree of JSON.
func walk(v any, path string, each func(path, text string, set func(string))) {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if text, ok := v[name].(string); ok {
				each(path+"/"+name, text, func(altered string) { v[name] = altered })
				continue
			}
			walk(v[name], path+"/"+name, each)
		}
	case []any:
		for n := range v {
			if text, ok := v[n].(string); ok {
				each(path+"/"+strconv.Itoa(n), text, func(altered string) { v[n] = altered })
				continue
			}
			walk(v[n], path+"/"+strconv.Itoa(n), each)
		}
	}
}

func leafName(path string) string {
	for n := len(path) - 1; n >= 0; n-- {
		if path[n] == '/' {
			return path[n+1:]
		}
	}
	return path
}

// flips returns the text with bits flipped: of the bytes behind base64 every few, of a number the next one.
func flips(name, text string) []string {
	if name == "mediaType" || name == "kind" || name == "version" || name == "algorithm" || name == "payloadType" || name == "envelope" {
		return flipText(text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return []string{strconv.FormatInt(n^1, 10), strconv.FormatInt(n^1024, 10)}
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return flipText(text)
	}
	var out []string
	for n := 0; n < len(raw); n += 1 + len(raw)/12 {
		altered := bytes.Clone(raw)
		altered[n] ^= 1 << (n % 8)
		out = append(out, base64.StdEncoding.EncodeToString(altered))
	}
	return out
}

func flipText(text string) []string {
	var out []string
	for n := 0; n < len(text); n += 1 + len(text)/48 {
		altered := []byte(text)
		altered[n] ^= 1 << (n % 5)
		if altered[n] < 0x80 && text[n] < 0x80 {
			out = append(out, string(altered))
		}
	}
	return out
}

// FuzzBundle alters the bytes of good bundles. Whatever is accepted must say what one of the good ones said.
func FuzzBundle(f *testing.F) {
	i := evidencetest.New(f, "flip")
	root := i.TrustedRoot(evidencetest.Spans{})
	who := ask()
	good := map[string]bool{}
	for _, b := range []*evidencetest.Bundle{i.Attest(honest(), evidencetest.Leaf{}), i.AttestV2(honest(), evidencetest.Leaf{}), i.Message(tool, evidencetest.Leaf{})} {
		f.Add(b.JSON())
		good[evidencetest.SHA256(b.Payload)] = b.Payload != nil
	}
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}`))
	f.Add([]byte(`{"base64Signature":"AAAA","cert":"","rekorBundle":{"SignedEntryTimestamp":"AAAA","Payload":{"body":"e30=","integratedTime":1,"logIndex":1,"logID":""}}}`))
	f.Add([]byte(`{"attestations":[{"bundle":{}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bundles, err := evidence.ParseAll("x", data); err == nil {
			for _, b := range bundles {
				b.Claims() // never panics
			}
		}
		verified, err := who.judge(root, data)
		if err != nil {
			return
		}
		for _, v := range verified {
			if !good[v.Statement().PayloadSHA256()] || v.Principals()[0] != "release" {
				t.Fatalf("accepted %s", v.Statement().PayloadSHA256())
			}
		}
	})
}

// FuzzStatement signs whatever it is given: a statement that is accepted has the one right subject, by the one right
// digest, and is of the type that was asked for.
func FuzzStatement(f *testing.F) {
	i := evidencetest.New(f, "statement")
	root := i.TrustedRoot(evidencetest.Spans{})
	key := evidencetest.Key("signer")
	o := ask()
	o.Require.NoLog = true
	o.Principals = []principal{{Name: "signer", Key: string(evidencetest.PublicPEM(f, key.Public()))}}
	o.Predicates = []string{evidence.PredicateProvenanceV1, evidence.PredicateProvenanceV02, evidence.PredicateSummary, evidence.PredicateTestResult, evidence.PredicateNPMPublish, evidence.PredicateWithdrawal}
	f.Add(honest())
	for _, p := range o.Predicates {
		f.Add(evidencetest.Statement("tool", tool, p, object{"result": "PASSED", "verifier": object{"id": "x"}, "configuration": []any{object{"name": "c", "digest": object{"sha256": evidencetest.SHA256(nil)}}}}))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) == 0 {
			return
		}
		b := i.With(t).AttestKey(payload, key)
		envelope, err := json.Marshal(b.EnvelopeObject())
		if err != nil {
			t.Fatal(err)
		}
		verified, err := o.judge(root, envelope)
		if err != nil {
			return
		}
		s := verified[0].Statement()
		if s == nil || !slices.Contains(o.Predicates, s.PredicateType) || verified[0].Subject().Name != "tool" || verified[0].Subject().Digest["sha256"] != o.Digests["sha256"] {
			t.Fatalf("accepted %q", payload)
		}
		var plain struct {
			Type    string `json:"_type"`
			Subject []struct{ Digest map[string]string }
		}
		if err := json.Unmarshal(payload, &plain); err != nil || plain.Type != s.Type || len(plain.Subject) != len(s.Subject) {
			t.Fatalf("read otherwise than encoding/json does: %q", payload)
		}
	})
}

// FuzzTrustedRoot alters a trusted root. Evidence of an instance that is not in it must never be accepted by what comes
// out.
func FuzzTrustedRoot(f *testing.F) {
	i, other := evidencetest.New(f, "root"), evidencetest.New(f, "another")
	f.Add(i.TrustedRoot(evidencetest.Spans{}))
	f.Add(append(bytes.ReplaceAll(i.TrustedRoot(evidencetest.Spans{}), []byte("\n"), nil), "\n{}"...))
	data := other.Attest(honest(), evidencetest.Leaf{}).JSON()
	o := ask()
	f.Fuzz(func(t *testing.T, root []byte) {
		if _, err := o.judge(root, data); err == nil {
			t.Fatalf("accepted by %q", root)
		}
	})
}
