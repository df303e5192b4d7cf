package evidence_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

const (
	toolCommit  = "1111111111111111111111111111111111111111"
	otherCommit = "2222222222222222222222222222222222222222"
	toolRepo    = "https://forge.example/acme/tool"
)

var tool = []byte("the tool, byte for byte\n")

type object = map[string]any

// provenance is what an honest builder says of the tool.
func provenance(commit string) object {
	return object{
		"buildDefinition": object{"buildType": evidence.BuildType, "externalParameters": object{"repository": toolRepo, "commit": commit, "recipe": object{"sha256": strings.Repeat("a", 64)}},
			"resolvedDependencies": []any{object{"uri": "git+" + toolRepo, "digest": object{"gitCommit": commit}}}},
		"runDetails": object{"builder": object{"id": evidence.BuilderID}},
	}
}

func honest() []byte {
	return evidencetest.Statement("tool", tool, evidence.PredicateProvenanceV1, provenance(toolCommit))
}

// statement is the honest one after a change.
func statement(change func(s object)) []byte {
	var s object
	if err := json.Unmarshal(honest(), &s); err != nil {
		panic(err) // made a line above
	}
	change(s)
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return data
}

func subject(s object) object { return s["subject"].([]any)[0].(object) }

// ask is what all vectors are judged by unless they say otherwise.
func ask() options {
	return options{Now: evidencetest.At.Add(time.Hour), Digests: map[string]string{"sha256": evidencetest.SHA256(tool)}, Names: []string{"tool"},
		Predicates: []string{evidence.PredicateProvenanceV1},
		Principals: []principal{{Name: "release", Identity: "https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/*", Issuer: evidencetest.Issuer}}}
}

// list collects vectors.
type list struct {
	t   *testing.T
	i   *evidencetest.Instance
	all map[string]*vector
}

func (l *list) add(name, gist, text, about string, data []byte, change ...func(v *vector)) {
	l.t.Helper()
	row, _, _ := strings.Cut(name, "-")
	v := &vector{About: about, Row: row, Gist: gist, Text: text, Evidence: data, Options: ask()}
	for _, c := range change {
		c(v)
	}
	if l.all[name] != nil {
		l.t.Fatalf("%s twice", name)
	}
	l.all[name] = v
}

// bundle is the honest keyless one after a change of its parts, the signature not made anew.
func (l *list) bundle(change func(b *evidencetest.Bundle)) []byte {
	b := l.i.Attest(honest(), evidencetest.Leaf{})
	change(b)
	return b.JSON()
}

// signed is an honestly signed bundle of another payload.
func (l *list) signed(payload []byte) []byte {
	return l.i.Attest(payload, evidencetest.Leaf{}).JSON()
}

// edited is the honest bundle with its JSON changed.
func (l *list) edited(change func(o object)) []byte {
	data := l.bundle(func(*evidencetest.Bundle) {})
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		l.t.Fatal(err)
	}
	change(o)
	out, err := json.Marshal(o)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func material(o object) object { return o["verificationMaterial"].(object) }

func vectors(t *testing.T, i *evidencetest.Instance) map[string]*vector {
	l := &list{t: t, i: i, all: map[string]*vector{}}
	l.accepted()
	l.shape()
	l.statements()
	l.subjects()
	l.signatures()
	l.logs()
	l.windows()
	l.identities()
	l.claims()
	return l.all
}

func (l *list) accepted() {
	keyed := func(v *vector) {
		v.Options.Principals = []principal{{Name: "signer", Key: string(evidencetest.PublicPEM(l.t, evidencetest.Key("signer").Public()))}}
	}
	message := func(v *vector) { v.Options.Predicates, v.Options.Message = nil, true }
	l.add("00-keyless", "accepted", "", "What most others are made from: a statement signed by a workflow, in Rekor v1, with a timestamp.", l.bundle(func(*evidencetest.Bundle) {}))
	l.add("00-keyless-rekor2", "accepted", "", "The same in Rekor v2.", l.i.AttestV2(honest(), evidencetest.Leaf{}).JSON())
	l.add("00-keyless-both-logs", "accepted", "", "The same in both logs, both demanded.", l.i.Attest(honest(), evidencetest.Leaf{}).Log2().JSON(), func(v *vector) { v.Options.Require.Logs = 2 })
	l.add("00-key", "accepted", "", "Signed by a key of the policy, in Rekor v1.", l.i.AttestKey(honest(), evidencetest.Key("signer")).JSON(), keyed)
	l.add("00-message", "accepted", "", "A signature over the artefact itself.", l.i.Message(tool, evidencetest.Leaf{}).JSON(), message)
	l.add("00-version-0.1", "accepted", "", "A bundle of version 0.1, with a chain.", l.bundle(func(b *evidencetest.Bundle) {
		b.MediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1"
		b.Chain = []*x509.Certificate{b.Leaf, l.i.Intermediate}
	}))
	envelope, err := json.Marshal(l.i.AttestKey(honest(), evidencetest.Key("signer")).EnvelopeObject())
	if err != nil {
		l.t.Fatal(err)
	}
	l.add("00-envelope", "accepted", "", "A bare envelope signed by a key; the policy gives up logs.", envelope, keyed, func(v *vector) { v.Options.Require.NoLog = true })
}

func (l *list) shape() {
	const gist = "malformed bundle"
	good := string(l.bundle(func(*evidencetest.Bundle) {}))
	replace := func(old, new string) []byte {
		if strings.Count(good, old) == 0 {
			l.t.Fatalf("%q is not in the bundle", old)
		}
		return []byte(strings.Replace(good, old, new, 1))
	}
	l.add("37-duplicate-payload", gist, "duplicate key \"payload\"", "The envelope has two payloads: which one is read depends on the reader.", replace(`"payload": `, `"payload": "e30=", "payload": `))
	l.add("37-duplicate-material", gist, "duplicate key \"tlogEntries\"", "Two lists of log entries.", replace(`"tlogEntries": `, `"tlogEntries": [], "tlogEntries": `))
	l.add("37-duplicate-escaped", gist, "duplicate key \"payload\"", "The second payload hides behind an escape.", replace(`"payload": `, `"pa\u0079load": "e30=", "payload": `))
	l.add("37-duplicate-in-statement", gist, "duplicate key \"subject\"", "The signed statement itself has two lists of subjects.",
		l.signed([]byte(strings.Replace(string(honest()), `"subject":`, `"subject":[],"subject":`, 1))))
	l.add("37-letter-case", gist, "unknown key \"Payload\"", "A key in another letter case, which encoding/json would take for the same.", replace(`"payload":`, `"Payload":`))
	l.add("37-unknown-key", gist, "unknown key \"extra\"", "A key that no version knows.", replace(`"dsseEnvelope":`, `"extra": 1, "dsseEnvelope":`))
	l.add("37-trailing-bytes", gist, "malformed bundle", "Bytes behind the bundle.", []byte(good+"\nPASSED"))
	l.add("37-trailing-zero", gist, "malformed bundle", "A zero byte behind the bundle.", []byte(good+"\x00"))
	l.add("37-base64-url", gist, "malformed base64", "The payload in another alphabet.", replace(`"payload": "e`, `"payload": "-_`))
	l.add("37-media-type", gist, "unsupported media type", "A version that nobody has specified.", replace("bundle.v0.3+json", "bundle.v0.9+json"))
	l.add("37-both-contents", gist, "want either messageSignature or dsseEnvelope", "A message signature beside the envelope.", l.edited(func(o object) {
		o["messageSignature"] = object{"messageDigest": object{"algorithm": "SHA2_256", "digest": "AAAA"}, "signature": "AAAA"}
	}))
	l.add("37-many-log-entries", gist, "10000 log entries, at most 32", "Ten thousand log entries.", l.edited(func(o object) {
		entry := material(o)["tlogEntries"].([]any)[0]
		many := make([]any, 10000)
		for n := range many {
			many[n] = object{}
		}
		many[0] = entry
		material(o)["tlogEntries"] = many
	}))
	l.add("37-many-timestamps", gist, "33 timestamps, at most 32", "More timestamps than anybody needs.", l.edited(func(o object) {
		material(o)["timestampVerificationData"] = object{"rfc3161Timestamps": make([]object, 33)}
	}))
	l.add("56-no-certificate", "no certificate", "no certificate", "The list of certificates is empty.", l.edited(func(o object) {
		delete(material(o), "certificate")
		material(o)["x509CertificateChain"] = object{"certificates": []any{}}
		o["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
	}))
	l.add("56-empty-certificate", "no certificate", "no certificate", "The certificate has no bytes.", l.edited(func(o object) { material(o)["certificate"] = object{"rawBytes": ""} }))
	l.add("56-no-material", "no certificate", "want one of publicKey, certificate and x509CertificateChain", "Nothing says who signed.", l.edited(func(o object) { delete(material(o), "certificate") }))
	l.add("56-null-certificate", "no certificate", "want one of publicKey, certificate and x509CertificateChain", "The certificate is null.", l.edited(func(o object) { material(o)["certificate"] = nil }))
}

func (l *list) statements() {
	resigned := func(change func(b *evidencetest.Bundle)) []byte {
		b := l.i.Attest(honest(), evidencetest.Leaf{})
		change(b)
		b.Entries, b.Stamps = nil, nil
		return b.Resign().Log1().Stamp(evidencetest.At).JSON()
	}
	l.add("38-payload-type", "unexpected type", "unexpected type: payloadType \"text/plain\"", "Honestly signed as another payload type.", resigned(func(b *evidencetest.Bundle) { b.PayloadType = "text/plain" }))
	l.add("38-payload-type-case", "unexpected type", "unexpected type: payloadType", "The type in another letter case.", resigned(func(b *evidencetest.Bundle) { b.PayloadType = "application/vnd.in-toto+JSON" }))
	l.add("38-statement-type", "unexpected type", "unexpected type \"https://in-toto.io/Statement/v2\"", "A statement of a version that is not known.", l.signed(statement(func(s object) { s["_type"] = "https://in-toto.io/Statement/v2" })))
	l.add("38-no-type", "unexpected type", "unexpected type", "A statement without a type.", l.signed(statement(func(s object) { delete(s, "_type") })))
	l.add("38-message-for-statement", "unexpected type", "unexpected type: a signature over the artefact, want a statement", "A signature over the artefact where a statement is wanted.", l.i.Message(tool, evidencetest.Leaf{}).JSON())
	const gist = "predicate is X, want Y"
	l.add("39-other-predicate", gist, "predicate is \"https://example.org/lunch/v1\", want \"https://slsa.dev/provenance/v1\"", "A statement that says something else of the same artefact.", l.signed(statement(func(s object) { s["predicateType"] = "https://example.org/lunch/v1" })))
	l.add("39-no-predicate-type", gist, "malformed statement: predicateType", "The predicate type is empty.", l.signed(statement(func(s object) { s["predicateType"] = "" })))
	l.add("39-predicate-missing", gist, "malformed predicate", "The right type, and nothing of that type.", l.signed(statement(func(s object) { delete(s, "predicate") })))
	l.add("39-predicate-text", gist, "predicate is no object", "A text in the place of the predicate.", l.signed(statement(func(s object) { s["predicate"] = "all is well" })))
	l.add("39-predicate-unreadable", gist, "malformed predicate", "Provenance without a builder.", l.signed(statement(func(s object) { s["predicate"].(object)["runDetails"] = object{} })))
	l.add("39-predicate-letter-case", gist, "unknown key \"BuildDefinition\"", "Provenance whose definition stands in another letter case too.", l.signed(statement(func(s object) {
		s["predicate"].(object)["BuildDefinition"] = object{"buildType": "other"}
	})))
	l.add("39-predicate-kind", gist, "malformed predicate", "Provenance whose dependencies are a text.", l.signed(statement(func(s object) {
		s["predicate"].(object)["buildDefinition"].(object)["resolvedDependencies"] = "none"
	})))
	l.add("39-not-json", gist, "malformed statement", "The payload is no JSON.", l.signed([]byte("{")))
}

func (l *list) subjects() {
	const bad = "bad subjects"
	l.add("40-none", bad, "bad subjects: there are none", "No subjects.", l.signed(statement(func(s object) { s["subject"] = []any{} })))
	l.add("40-null", bad, "bad subjects: there are none", "The subjects are null.", l.signed(statement(func(s object) { s["subject"] = nil })))
	l.add("40-object", bad, "bad subjects", "One subject that is no list.", l.signed(statement(func(s object) { s["subject"] = s["subject"].([]any)[0] })))
	l.add("40-null-element", bad, "bad subjects", "A null among the subjects.", l.signed(statement(func(s object) { s["subject"] = append(s["subject"].([]any), nil) })))
	l.add("40-no-digest", bad, "bad subjects: one has no digest", "A subject without a digest beside the right one.", l.signed(statement(func(s object) {
		s["subject"] = append(s["subject"].([]any), object{"name": "tool"})
	})))
	l.add("40-many", bad, "bad subjects: 1025 of them, at most 1024", "One subject too many.", l.signed(statement(func(s object) {
		for n := range 1024 {
			s["subject"] = append(s["subject"].([]any), object{"name": fmt.Sprint(n), "digest": object{"sha256": strings.Repeat("b", 64)}})
		}
	})))
	l.add("41-name", "subject name differs", "subject name differs: README, want tool", "The digest is signed, but as that of README: the README was shipped as the tool.", l.signed(statement(func(s object) { subject(s)["name"] = "README" })))
	l.add("41-name-case", "subject name differs", "subject name differs", "The name in another letter case.", l.signed(statement(func(s object) { subject(s)["name"] = "Tool" })))
	const disagree = "digest algorithms disagree"
	l.add("42-sha1-only", disagree, disagree, "Only a digest that binds nothing.", l.signed(statement(func(s object) { subject(s)["digest"] = object{"sha1": strings.Repeat("1", 40)} })))
	l.add("42-commit-only", disagree, disagree, "Only a commit.", l.signed(statement(func(s object) { subject(s)["digest"] = object{"gitCommit": toolCommit} })))
	l.add("42-sha512-wrong", disagree, disagree, "sha256 is the artefact's, sha512 another's.", l.signed(statement(func(s object) { subject(s)["digest"].(object)["sha512"] = strings.Repeat("5", 128) })),
		func(v *vector) { v.Options.Digests["sha512"] = strings.Repeat("7", 128) })
	const malformed = "malformed digest"
	sum := evidencetest.SHA256(tool)
	for name, text := range map[string]string{"upper-case": strings.ToUpper(sum), "short": sum[:63], "long": sum + "0", "not-hex": "g" + sum[1:], "blank": " " + sum[1:]} {
		l.add("43-"+name, malformed, malformed, "The digest of the subject is not 64 digits of lower-case hex: "+name+".", l.signed(statement(func(s object) { subject(s)["digest"] = object{"sha256": text} })))
	}
	l.add("43-algorithm-case", malformed, "malformed digest algorithm \"SHA256\"", "The algorithm in another letter case.", l.signed(statement(func(s object) { subject(s)["digest"] = object{"SHA256": sum} })))
	l.add("57-other-artefact", "bound to other commit", "bound to another artefact", "Evidence for another artefact, replayed.", l.i.Attest(evidencetest.Statement("tool", []byte("version 1.0\n"), evidence.PredicateProvenanceV1, provenance(toolCommit)), evidencetest.Leaf{}).JSON())
	l.add("57-other-message", "bound to other commit", "bound to another artefact", "A signature over another artefact, replayed.", l.i.Message([]byte("version 1.0\n"), evidencetest.Leaf{}).JSON(), func(v *vector) { v.Options.Message = true })
}

func (l *list) signatures() {
	const gist = "signature invalid"
	other := evidencetest.Key("somebody else")
	l.add("44-bare-payload", gist, gist, "The signature is over the payload itself, not over its pre-authentication encoding.", l.bundle(func(b *evidencetest.Bundle) {
		b.Signatures[0] = l.i.Sign(b.Key, b.Payload)
		b.Entries, b.Stamps = nil, nil
		b.Log1().Stamp(evidencetest.At)
	}))
	l.add("44-other-key", gist, gist, "Another key signed.", l.bundle(func(b *evidencetest.Bundle) {
		b.Signatures[0] = l.i.Sign(other, evidencetest.PAE(b.PayloadType, b.Payload))
		b.Entries, b.Stamps = nil, nil
		b.Log1().Stamp(evidencetest.At)
	}))
	l.add("44-payload-exchanged", gist, gist, "Another payload under the same signature.", l.bundle(func(b *evidencetest.Bundle) {
		b.Payload = statement(func(s object) { subject(s)["name"] = "tool2" })
	}))
	l.add("44-key-unknown", gist, "no key of the policy made it", "Signed by a key that the policy does not hold.", l.i.AttestKey(honest(), other).JSON())
	l.add("45-none", "2 signatures, 1 invalid", "no signatures", "An envelope without signatures.", l.edited(func(o object) { o["dsseEnvelope"].(object)["signatures"] = []any{} }))
	l.add("45-null", "2 signatures, 1 invalid", "no signatures", "Signatures that are null.", l.edited(func(o object) { o["dsseEnvelope"].(object)["signatures"] = nil }))
	l.add("45-one-bad-of-two", "2 signatures, 1 invalid", "2 signatures, 1 invalid", "A good signature and one that is not.", l.bundle(func(b *evidencetest.Bundle) {
		b.Signatures = append(b.Signatures, l.i.Sign(other, evidencetest.PAE(b.PayloadType, b.Payload)))
	}))
	l.add("45-bad-one-first", "2 signatures, 1 invalid", "2 signatures, 1 invalid", "The bad signature stands first.", l.bundle(func(b *evidencetest.Bundle) {
		b.Signatures = append([][]byte{l.i.Sign(other, evidencetest.PAE(b.PayloadType, b.Payload))}, b.Signatures...)
	}))
	two := l.i.AttestKey(honest(), evidencetest.Key("signer"))
	two.Signatures = append(two.Signatures, l.i.Sign(other, evidencetest.PAE(two.PayloadType, two.Payload)))
	l.add("45-two-good-one-logged", "2 signatures, 1 invalid", "2 signatures, want 1", "Two good signatures, of which the log holds one.", two.JSON(), func(v *vector) {
		v.Options.Principals = nil
		for n, key := range []*ecdsa.PrivateKey{evidencetest.Key("signer"), other} {
			v.Options.Principals = append(v.Options.Principals, principal{Name: fmt.Sprint("signer ", n), Key: string(evidencetest.PublicPEM(l.t, key.Public()))})
		}
	})
	l.add("45-empty", "2 signatures, 1 invalid", "empty signature", "A signature of no bytes.", l.bundle(func(b *evidencetest.Bundle) { b.Signatures[0] = []byte{} }))
}

// reproved gives the first entry's proof and promise anew after a change of its body.
func (l *list) reproved(change func(b *evidencetest.Bundle) []byte) []byte {
	return l.bundle(func(b *evidencetest.Bundle) {
		e := b.Entries[0]
		e.Body = change(b)
		e.Promise = l.i.Promise(e)
		l.i.Prove(e)
	})
}

func (l *list) logs() {
	const gist = "log entry does not match"
	donor := func(change func(b *evidencetest.Bundle)) func(*evidencetest.Bundle) []byte {
		return func(b *evidencetest.Bundle) []byte {
			c := *b
			change(&c)
			return c.Body1()
		}
	}
	l.add("46-other-payload", gist, gist, "A valid entry of another payload.", l.reproved(donor(func(b *evidencetest.Bundle) { b.Payload = []byte("{}") })))
	l.add("46-other-key", gist, gist, "A valid entry of another key.", l.reproved(donor(func(b *evidencetest.Bundle) {
		b.Leaf, _ = l.i.Certificate(evidencetest.Leaf{Identity: "mallory@example.org"})
	})))
	l.add("46-other-signature", gist, gist, "A valid entry of another signature by the same key.", l.reproved(donor(func(b *evidencetest.Bundle) { b.Signatures = [][]byte{l.i.Sign(b.Key, []byte("another time"))} })))
	l.add("46-other-kind", gist, gist, "A valid entry of a kind that does not record envelopes.", l.bundle(func(b *evidencetest.Bundle) {
		e := b.Entries[0]
		m := l.i.Message(tool, evidencetest.Leaf{})
		e.Kind, e.Body = "hashedrekord", m.Body1()
		e.Promise = l.i.Promise(e)
		l.i.Prove(e)
	}))
	l.add("46-two-signatures-recorded", gist, gist, "The entry records a second signature beside this one.", l.reproved(func(b *evidencetest.Bundle) []byte {
		return []byte(strings.Replace(string(b.Body1()), `"signatures":[`, `"signatures":[{"signature":"AAAA","verifier":"AAAA"},`, 1))
	}))
	l.add("46-more-recorded", gist, gist, "The entry has a field that follows from nothing.", l.reproved(func(b *evidencetest.Bundle) []byte {
		return []byte(strings.Replace(string(b.Body1()), `"spec":{`, `"spec":{"extra":1,`, 1))
	}))
	l.add("46-rekor2-other-key", gist, gist, "An entry of Rekor v2 of another key.", rekor2(l, func(b *evidencetest.Bundle) []byte {
		c := *b
		c.Leaf, _ = l.i.Certificate(evidencetest.Leaf{Identity: "mallory@example.org"})
		return c.Body2()
	}))
	l.add("46-rekor2-other-payload", gist, gist, "An entry of Rekor v2 of another payload.", rekor2(l, func(b *evidencetest.Bundle) []byte {
		c := *b
		c.Payload = []byte("{}")
		return c.Body2()
	}))
	l.proofs()
	l.counts()
}

func rekor2(l *list, body func(b *evidencetest.Bundle) []byte) []byte {
	b := l.i.AttestV2(honest(), evidencetest.Leaf{})
	b.Entries[0].Body = body(b)
	l.i.Prove(b.Entries[0])
	return b.JSON()
}

func (l *list) proofs() {
	const gist = "inclusion not proven"
	entry := func(change func(e *evidencetest.Entry)) []byte {
		return l.bundle(func(b *evidencetest.Bundle) { change(b.Entries[0]) })
	}
	second := func(change func(e *evidencetest.Entry)) []byte {
		b := l.i.AttestV2(honest(), evidencetest.Leaf{})
		change(b.Entries[0])
		return b.JSON()
	}
	strange := evidencetest.New(l.t, "strange")
	l.add("47-no-proof", gist, gist, "No proof, only a promise.", entry(func(e *evidencetest.Entry) { e.NoProof = true }))
	l.add("47-rekor2-no-proof", gist, gist, "An entry of Rekor v2 without a proof.", second(func(e *evidencetest.Entry) { e.NoProof = true }))
	l.add("47-hash", gist, gist, "One hash of the proof is another.", entry(func(e *evidencetest.Entry) { e.Hashes[1] = make([]byte, 32) }))
	l.add("47-hash-missing", gist, gist, "The proof is one hash short.", entry(func(e *evidencetest.Entry) { e.Hashes = e.Hashes[:2] }))
	l.add("47-hash-more", gist, gist, "The proof is one hash long.", entry(func(e *evidencetest.Entry) { e.Hashes = append(e.Hashes, e.Hashes[0]) }))
	l.add("47-index", gist, gist, "The proof is for the neighbour.", entry(func(e *evidencetest.Entry) { e.ProofIndex++ }))
	l.add("47-size", gist, gist, "The proof is for another size than the checkpoint.", entry(func(e *evidencetest.Entry) { e.TreeSize++ }))
	l.add("47-root", gist, gist, "The proof leads to another root than the checkpoint's.", entry(func(e *evidencetest.Entry) { e.RootHash = make([]byte, 32) }))
	l.add("47-checkpoint-unsigned", gist, gist, "The checkpoint has no signature.", entry(func(e *evidencetest.Entry) { e.Checkpoint, _, _ = strings.Cut(e.Checkpoint, "\n\n") }))
	l.add("47-checkpoint-other-log", gist, gist, "Another log signed the checkpoint.", entry(func(e *evidencetest.Entry) { strange.SignCheckpoint(e) }))
	l.add("47-checkpoint-altered", gist, gist, "The checkpoint's size was altered after it was signed.", entry(func(e *evidencetest.Entry) { e.Checkpoint = strings.Replace(e.Checkpoint, "\n7\n", "\n8\n", 1) }))
	l.add("47-rekor2-checkpoint-other-log", gist, gist, "Another log of Rekor v2 signed the checkpoint.", second(func(e *evidencetest.Entry) { strange.SignCheckpoint(e) }))
	l.add("47-rekor2-checkpoint-other-origin", gist, gist, "The checkpoint is of another origin.", second(func(e *evidencetest.Entry) {
		e.Checkpoint = strings.Replace(e.Checkpoint, "rekor2.example\n", "rekor9.example\n", 1)
	}))
	l.add("47-rekor2-index", gist, gist, "The entry claims another index than its proof.", second(func(e *evidencetest.Entry) { e.Index++ }))
	l.add("47-promise-altered", gist, gist, "The time was altered after the log had promised.", entry(func(e *evidencetest.Entry) { e.Integrated++ }))
	l.add("47-promise-other-log", gist, gist, "Another log promised.", entry(func(e *evidencetest.Entry) { e.Promise = strange.Promise(e) }))
	l.add("47-version-0.1-no-promise", gist, gist, "A bundle of version 0.1 without a promise.", l.bundle(func(b *evidencetest.Bundle) {
		b.MediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1"
		b.Entries[0].Promise = nil
	}))
	l.add("47-unknown-log", gist, "0 distinct logs, need 1", "An entry of a log that the trusted root does not name.", strange.Attest(honest(), evidencetest.Leaf{}).JSON())
	l.add("47-no-entry", gist, "0 distinct logs, need 1", "No log entry at all.", l.bundle(func(b *evidencetest.Bundle) { b.Entries = nil }))
}

func (l *list) counts() {
	need := func(n int) func(v *vector) { return func(v *vector) { v.Options.Require.Logs = n } }
	l.add("48-one-log-twice", "1 distinct log, need 2", "1 distinct log, need 2", "Two entries of one log.", l.bundle(func(b *evidencetest.Bundle) {
		b.Log1()
		e := b.Entries[1]
		e.Index = 2004
		e.Promise = l.i.Promise(e)
	}), need(2))
	l.add("48-entry-twice", "1 distinct log, need 2", "one log entry stands twice", "The same entry twice.", l.bundle(func(b *evidencetest.Bundle) { b.Entries = append(b.Entries, b.Entries[0]) }), need(2))
	l.add("48-one-log", "1 distinct log, need 2", "1 distinct log, need 2", "One log where two are demanded.", l.bundle(func(*evidencetest.Bundle) {}), need(2))
	l.add("48-one-authority-twice", "1 distinct log, need 2", "1 distinct timestamp, need 2", "Two timestamps of one authority.", l.bundle(func(b *evidencetest.Bundle) { b.Stamp(evidencetest.At.Add(time.Second)) }), func(v *vector) { v.Options.Require.Timestamps = 2 })
	second := func(change func(e *evidencetest.Entry)) []byte {
		return l.bundle(func(b *evidencetest.Bundle) {
			b.Log2()
			change(b.Entries[1])
		})
	}
	l.add("48-second-entry-bad", "1 distinct log, need 2", "inclusion not proven", "A good entry, and one of another log that is not proven.", second(func(e *evidencetest.Entry) { e.Hashes[0] = make([]byte, 32) }))
}
