package evidencetest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strconv"
	"time"

	"github.com/digitorus/timestamp"
	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// PayloadType is the type of an envelope with a statement.
const PayloadType = "application/vnd.in-toto+json"

// Bundle is a bundle in the making. Exactly one of Leaf and Hint says who signed; Payload or Artefact what.
type Bundle struct {
	i *Instance

	MediaType   string // "" is version 0.3
	Leaf        *x509.Certificate
	Chain       []*x509.Certificate // as x509CertificateChain, when not nil
	Key         *ecdsa.PrivateKey
	PayloadType string
	Payload     []byte
	Artefact    []byte // of a message signature
	Digest      []byte // of Artefact, as the bundle claims it
	Signatures  [][]byte
	Entries     []*Entry
	Stamps      [][]byte
}

// Entry is a log entry in the making.
type Entry struct {
	Kind, Version string
	LogID         []byte
	Index         int64
	Integrated    int64
	Promise       []byte
	Body          []byte
	ProofIndex    int64
	TreeSize      int64
	RootHash      []byte
	Hashes        [][]byte
	Checkpoint    string
	NoProof       bool
}

// PAE is what an envelope's signature covers.
func PAE(payloadType string, payload []byte) []byte {
	return []byte(fmt.Sprintf("DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload))
}

// Sign returns a signature by an ECDSA key over the bytes.
func (i *Instance) Sign(key *ecdsa.PrivateKey, message []byte) []byte {
	sig, err := steady{key}.Sign(nil, sum(message), crypto.SHA256)
	i.must(err)
	return sig
}

// Attest returns a statement signed keyless: an entry in Rekor v1, and a timestamp.
func (i *Instance) Attest(payload []byte, l Leaf) *Bundle {
	i.tb.Helper()
	b := &Bundle{i: i, PayloadType: PayloadType, Payload: payload}
	b.Leaf, b.Key = i.Certificate(l)
	return b.Resign().Log1().Stamp(At)
}

// AttestV2 returns a statement signed keyless: an entry in Rekor v2, and a timestamp.
func (i *Instance) AttestV2(payload []byte, l Leaf) *Bundle {
	b := i.Attest(payload, l)
	b.Entries = nil
	return b.Log2()
}

// AttestKey returns a statement signed by a key: an entry in Rekor v1.
func (i *Instance) AttestKey(payload []byte, key *ecdsa.PrivateKey) *Bundle {
	i.tb.Helper()
	b := &Bundle{i: i, PayloadType: PayloadType, Payload: payload, Key: key}
	return b.Resign().Log1()
}

// Message returns a signature over an artefact, signed keyless: an entry in Rekor v1, and a timestamp.
func (i *Instance) Message(artefact []byte, l Leaf) *Bundle {
	i.tb.Helper()
	b := &Bundle{i: i, Artefact: artefact, Digest: sum(artefact)}
	b.Leaf, b.Key = i.Certificate(l)
	return b.Resign().Log1().Stamp(At)
}

// Resign signs what the bundle holds.
func (b *Bundle) Resign() *Bundle {
	message := b.Artefact
	if b.Payload != nil {
		message = PAE(b.PayloadType, b.Payload)
	}
	b.Signatures = [][]byte{b.i.Sign(b.Key, message)}
	return b
}

func (b *Bundle) pem() []byte {
	if b.Leaf != nil {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Leaf.Raw})
	}
	return PublicPEM(b.i.tb, b.Key.Public())
}

type object = map[string]any

// Body1 is what Rekor v1 would store of the bundle.
func (b *Bundle) Body1() []byte {
	if b.Payload == nil {
		return marshal(b.i, object{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": object{
			"data":      object{"hash": object{"algorithm": "sha256", "value": hex.EncodeToString(sum(b.Artefact))}},
			"signature": object{"content": b64(b.Signatures[0]), "publicKey": object{"content": b64(b.pem())}}}})
	}
	return marshal(b.i, object{"apiVersion": "0.0.1", "kind": "dsse", "spec": object{
		"envelopeHash": object{"algorithm": "sha256", "value": hex.EncodeToString(sum([]byte("envelope as it was sent")))},
		"payloadHash":  object{"algorithm": "sha256", "value": hex.EncodeToString(sum(b.Payload))},
		"signatures":   []any{object{"signature": b64(b.Signatures[0]), "verifier": b64(b.pem())}}}})
}

// Body2 is what Rekor v2 would store of the bundle.
func (b *Bundle) Body2() []byte {
	digest := sum(b.Artefact)
	if b.Payload != nil {
		digest = sum(PAE(b.PayloadType, b.Payload))
	}
	verifier := object{"keyDetails": "PKIX_ECDSA_P256_SHA_256"}
	if b.Leaf != nil {
		verifier["x509Certificate"] = object{"rawBytes": b64(b.Leaf.Raw)}
	} else {
		verifier["publicKey"] = object{"rawBytes": b64(spki(b.i.tb, b.Key.Public()))}
	}
	return marshal(b.i, object{"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": object{"hashedRekordV002": object{
		"data": object{"algorithm": "SHA2_256", "digest": b64(digest)}, "signature": object{"content": b64(b.Signatures[0]), "verifier": verifier}}}})
}

func marshal(i *Instance, v any) []byte {
	data, err := json.Marshal(v)
	i.must(err)
	return data
}

// Log1 adds an entry in Rekor v1 of what the bundle now holds.
func (b *Bundle) Log1() *Bundle {
	kind := "dsse"
	if b.Payload == nil {
		kind = "hashedrekord"
	}
	e := &Entry{Kind: kind, Version: "0.0.1", LogID: b.i.LogID(b.i.Rekor1.Public()), Index: 1003, Integrated: At.Unix(), Body: b.Body1()}
	e.Promise = b.i.Promise(e)
	b.i.Prove(e)
	b.Entries = append(b.Entries, e)
	return b
}

// LogIntoto adds an entry of kind intoto in Rekor v1, beside which the log keeps the statement.
func (b *Bundle) LogIntoto() *Bundle {
	digest := func(data []byte) object { return object{"algorithm": "sha256", "value": hex.EncodeToString(sum(data))} }
	e := &Entry{Kind: "intoto", Version: "0.0.2", LogID: b.i.LogID(b.i.Rekor1.Public()), Index: 1004, Integrated: At.Unix(),
		Body: marshal(b.i, object{"apiVersion": "0.0.2", "kind": "intoto", "spec": object{"content": object{
			"envelope": object{"payloadType": b.PayloadType, "signatures": []any{object{"publicKey": b64(b.pem()), "sig": b64([]byte(b64(b.Signatures[0])))}}},
			"hash":     digest([]byte("envelope as it was sent")), "payloadHash": digest(b.Payload)}}})}
	e.Promise = b.i.Promise(e)
	b.i.Prove(e)
	b.Entries = append(b.Entries, e)
	return b
}

// Log2 adds an entry in Rekor v2 of what the bundle now holds.
func (b *Bundle) Log2() *Bundle {
	e := &Entry{Kind: "hashedrekord", Version: "0.0.2", LogID: b.i.LogID(b.i.Rekor2.Public()), Index: 3, Body: b.Body2()}
	b.i.Prove(e)
	b.Entries = append(b.Entries, e)
	return b
}

// Promise is Rekor v1's signed entry timestamp.
func (i *Instance) Promise(e *Entry) []byte {
	return i.Sign(i.Rekor1, []byte(`{"body":"`+b64(e.Body)+`","integratedTime":`+strconv.FormatInt(e.Integrated, 10)+
		`,"logID":"`+hex.EncodeToString(e.LogID)+`","logIndex":`+strconv.FormatInt(e.Index, 10)+`}`))
}

// Prove puts the entry's body at place 3 of a tree of seven, and signs its checkpoint.
func (i *Instance) Prove(e *Entry) {
	const place, size = 3, 7
	var leaves [][]byte
	for n := range size {
		leaves = append(leaves, leafHash([]byte{byte(n)}))
	}
	leaves[place] = leafHash(e.Body)
	e.ProofIndex, e.TreeSize, e.RootHash, e.Hashes = place, size, treeHash(leaves), auditPath(place, leaves)
	i.SignCheckpoint(e)
}

// SignCheckpoint signs a checkpoint of the entry's root and size.
func (i *Instance) SignCheckpoint(e *Entry) {
	name, origin := "rekor1.example", "rekor1.example - 42"
	hint := sum(spki(i.tb, i.Rekor1.Public()))[:4]
	if e.Kind == "hashedrekord" && e.Version == "0.0.2" {
		name, origin = "rekor2.example", "rekor2.example"
		hint = i.LogID(i.Rekor2.Public())[:4]
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, e.TreeSize, b64(e.RootHash))
	sig := []byte(nil)
	if e.Kind == "hashedrekord" && e.Version == "0.0.2" {
		sig = ed25519.Sign(i.Rekor2, []byte(text))
	} else {
		sig = i.Sign(i.Rekor1, []byte(text))
	}
	e.Checkpoint = text + "\n— " + name + " " + b64(append(bytes.Clone(hint), sig...)) + "\n"
}

func leafHash(b []byte) []byte    { return sum(append([]byte{0}, b...)) }
func nodeHash(l, r []byte) []byte { return sum(append(append([]byte{1}, l...), r...)) }

// split is the largest power of two below n (RFC 6962, section 2.1).
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func treeHash(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	return nodeHash(treeHash(leaves[:k]), treeHash(leaves[k:]))
}

func auditPath(m int, leaves [][]byte) [][]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if m < k {
		return append(auditPath(m, leaves[:k]), treeHash(leaves[k:]))
	}
	return append(auditPath(m-k, leaves[k:]), treeHash(leaves[:k]))
}

// Stamp adds an RFC 3161 timestamp over the signature.
func (b *Bundle) Stamp(at time.Time) *Bundle {
	b.Stamps = append(b.Stamps, b.i.Timestamp(b.Signatures[0], at))
	return b
}

// Timestamp returns an RFC 3161 response of the instance's authority.
func (i *Instance) Timestamp(signature []byte, at time.Time) []byte {
	t := timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum(signature), Time: at,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: true}
	response, err := t.CreateResponseWithOpts(i.TSA, i.tsaKey, crypto.SHA256)
	i.must(err)
	return response
}

// TimestampWithDecoy returns a response whose bag of certificates also holds that of somebody else.
func (i *Instance) TimestampWithDecoy(signature []byte, at time.Time, decoy *x509.Certificate) []byte {
	response := cryptobyte.String(i.Timestamp(signature, at))
	var outer, status, token, content, data, body cryptobyte.String
	var kind asn1.ObjectIdentifier
	explicit := der.Tag(0).ContextSpecific().Constructed()
	if !response.ReadASN1(&outer, der.SEQUENCE) || !outer.ReadASN1Element(&status, der.SEQUENCE) || !outer.ReadASN1(&token, der.SEQUENCE) ||
		!token.ReadASN1ObjectIdentifier(&kind) || !token.ReadASN1(&content, explicit) || !content.ReadASN1(&data, der.SEQUENCE) {
		i.tb.Fatal("unexpected timestamp response")
	}
	body = data
	var before [3]cryptobyte.String // version, digest algorithms, content
	var certificates cryptobyte.String
	for n, tag := range []der.Tag{der.INTEGER, der.SET, der.SEQUENCE} {
		if !body.ReadASN1Element(&before[n], tag) {
			i.tb.Fatal("unexpected timestamp response")
		}
	}
	if !body.ReadASN1(&certificates, explicit) {
		i.tb.Fatal("timestamp without certificates")
	}
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(status)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(kind)
			b.AddASN1(explicit, func(b *cryptobyte.Builder) {
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, part := range before {
						b.AddBytes(part)
					}
					b.AddASN1(explicit, func(b *cryptobyte.Builder) {
						b.AddBytes(decoy.Raw)
						b.AddBytes(certificates)
					})
					b.AddBytes(body)
				})
			})
		})
	})
	out, err := b.Bytes()
	i.must(err)
	return out
}

// Object returns the bundle as it will be written.
func (b *Bundle) Object() map[string]any {
	material := object{}
	switch {
	case b.Chain != nil:
		list := []any{}
		for _, c := range b.Chain {
			list = append(list, object{"rawBytes": b64(c.Raw)})
		}
		material["x509CertificateChain"] = object{"certificates": list}
	case b.Leaf != nil:
		material["certificate"] = object{"rawBytes": b64(b.Leaf.Raw)}
	default:
		material["publicKey"] = object{"hint": b64(sum(spki(b.i.tb, b.Key.Public())))}
	}
	entries := []any{}
	for _, e := range b.Entries {
		entries = append(entries, e.object())
	}
	material["tlogEntries"] = entries
	if len(b.Stamps) > 0 {
		stamps := []any{}
		for _, s := range b.Stamps {
			stamps = append(stamps, object{"signedTimestamp": b64(s)})
		}
		material["timestampVerificationData"] = object{"rfc3161Timestamps": stamps}
	}
	out := object{"mediaType": b.MediaType, "verificationMaterial": material}
	if b.MediaType == "" {
		out["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.3+json"
	}
	if b.Payload == nil {
		out["messageSignature"] = object{"messageDigest": object{"algorithm": "SHA2_256", "digest": b64(b.Digest)}, "signature": b64(b.Signatures[0])}
		return out
	}
	out["dsseEnvelope"] = b.EnvelopeObject()
	return out
}

// EnvelopeObject returns the envelope alone.
func (b *Bundle) EnvelopeObject() map[string]any {
	sigs := []any{}
	for _, s := range b.Signatures {
		sigs = append(sigs, object{"sig": b64(s)})
	}
	return object{"payload": b64(b.Payload), "payloadType": b.PayloadType, "signatures": sigs}
}

func (e *Entry) object() map[string]any {
	out := object{"logIndex": strconv.FormatInt(e.Index, 10), "logId": object{"keyId": b64(e.LogID)},
		"kindVersion": object{"kind": e.Kind, "version": e.Version}, "canonicalizedBody": b64(e.Body)}
	if e.Integrated != 0 {
		out["integratedTime"] = strconv.FormatInt(e.Integrated, 10)
	}
	if e.Promise != nil {
		out["inclusionPromise"] = object{"signedEntryTimestamp": b64(e.Promise)}
	}
	if !e.NoProof {
		hashes := []string{}
		for _, h := range e.Hashes {
			hashes = append(hashes, b64(h))
		}
		out["inclusionProof"] = object{"logIndex": strconv.FormatInt(e.ProofIndex, 10), "rootHash": b64(e.RootHash),
			"treeSize": strconv.FormatInt(e.TreeSize, 10), "hashes": hashes, "checkpoint": object{"envelope": e.Checkpoint}}
	}
	return out
}

// JSON returns the bundle as a file.
func (b *Bundle) JSON() []byte {
	data, err := json.MarshalIndent(b.Object(), "", " ")
	b.i.must(err)
	return data
}

// Statement returns an in-toto statement about one file.
func Statement(name string, content []byte, predicateType string, predicate any) []byte {
	data, err := json.Marshal(object{"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType, "predicate": predicate,
		"subject": []any{object{"name": name, "digest": object{"sha256": hex.EncodeToString(sum(content))}}}})
	if err != nil {
		panic(err) // values of tests
	}
	return data
}

// SHA256 returns a digest in hex.
func SHA256(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
