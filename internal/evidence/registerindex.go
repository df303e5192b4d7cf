package evidence

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// SearchIndex asks a Rekor v1 log for the entries about an artefact, by its digest ("sha256:…"), and verifies promise and
// inclusion of each that a principal made. The index is no part of the log's tree: what it leaves out nobody can see.
// Where the log kept the statement itself (entries of kind intoto), it is handed out as a bundle.
func (s *Search) SearchIndex(ctx context.Context, artefact string) (*Register, error) {
	if len(s.logs()) == 0 {
		return nil, fmt.Errorf("the trusted root names no log at %q", cut(s.Origin))
	}
	question, err := json.Marshal(map[string]string{"hash": artefact})
	if err != nil {
		return nil, err
	}
	answer, err := s.Fetch(ctx, "api/v1/index/retrieve", question, maxIndexAnswer)
	if err != nil {
		return nil, err
	}
	v, err := strictjson.Parse(answer, answerLimits)
	if err != nil {
		return nil, err
	}
	if n := v.Count(); n > MaxFound {
		return nil, fmt.Errorf("its index answers with %d entries, at most %d are read", n, MaxFound)
	}
	list, err := v.Elements()
	if err != nil {
		return nil, err
	}
	out := &Register{Origin: s.Origin}
	for _, e := range list {
		id, err := e.Text()
		if err != nil || !entryID.MatchString(id) {
			return nil, errors.New("its index answers with what is no entry's id")
		}
		if err := s.entry(ctx, id, out); err != nil {
			return nil, fmt.Errorf("entry %s: %w", id[:12], err)
		}
	}
	return out, nil
}

var entryID = pattern.New(`^([0-9a-f]{64}|[0-9a-f]{80})$`)

// entry reads one entry and notes it where a principal made it. Kinds that hold no statement are passed over.
func (s *Search) entry(ctx context.Context, id string, out *Register) error {
	answer, err := s.Fetch(ctx, "api/v1/log/entries/"+id, nil, maxEntryAnswer)
	if err != nil {
		return err
	}
	v, err := strictjson.Parse(answer, answerLimits)
	if err != nil {
		return err
	}
	members, err := v.Members()
	if err != nil || len(members) != 1 {
		return errors.New("want one entry")
	}
	found := members[0].Value
	e, err := readFound(found)
	if err != nil {
		return err
	}
	body, err := strictjson.Parse(e.body, bodyLimits)
	if err != nil {
		return err
	}
	if e.kind, err = body.At("kind").Text(); err != nil {
		return err
	}
	if e.version, err = body.At("apiVersion").Text(); err != nil {
		return err
	}
	said := statementEntry(e, body.At("spec"))
	if said == nil {
		return nil
	}
	who := s.signer(said.verifier)
	if who == "" {
		return nil
	}
	if err := s.proven(e); err != nil {
		return err
	}
	out.Entries = append(out.Entries, Recorded{who, e.index, "sha256:" + said.payload})
	kept, err := found.At("attestation", "data").Base64()
	if err != nil || len(kept) == 0 || hexSum(kept) != said.payload {
		return nil // the log kept only the digest
	}
	b, err := said.bundle(e, kept)
	if err != nil {
		return err
	}
	out.Bundles = append(out.Bundles, b)
	return nil
}

// readFound reads the answer of Rekor v1 (openapi.yaml, LogEntry).
func readFound(v strictjson.Value) (*logEntry, error) {
	e := &logEntry{proof: &inclusionProof{}}
	var err error
	if e.body, err = sized(v.At("body"), MaxBody); err != nil || len(e.body) == 0 {
		return nil, errors.New("malformed body")
	}
	if e.integrated, err = v.At("integratedTime").Int64(); err != nil {
		return nil, in("integratedTime", err)
	}
	if e.index, err = v.At("logIndex").Int64(); err != nil {
		return nil, in("logIndex", err)
	}
	if e.logID, err = hexText(v.At("logID")); err != nil {
		return nil, in("logID", err)
	}
	if e.promise, err = sized(v.At("verification", "signedEntryTimestamp"), MaxSignature); err != nil || len(e.promise) == 0 {
		return nil, errors.New("inclusion not proven: no promise")
	}
	p := v.At("verification", "inclusionProof")
	if e.proof.index, err = p.At("logIndex").Int64(); err != nil {
		return nil, in("inclusionProof", err)
	}
	if e.proof.size, err = p.At("treeSize").Int64(); err != nil || e.proof.index < 0 || e.proof.size <= e.proof.index {
		return nil, errors.New("inclusionProof: index lies outside the tree")
	}
	if e.proof.root, err = hexText(p.At("rootHash")); err != nil {
		return nil, in("inclusionProof", err)
	}
	if n := p.At("hashes").Count(); n > MaxProof {
		return nil, fmt.Errorf("inclusionProof: %d hashes, at most %d", n, MaxProof)
	}
	hashes, err := p.At("hashes").Elements()
	if err != nil {
		return nil, in("inclusionProof", err)
	}
	for _, h := range hashes {
		sum, err := hexText(h)
		if err != nil {
			return nil, in("inclusionProof", err)
		}
		e.proof.hashes = append(e.proof.hashes, sum)
	}
	if e.proof.checkpoint, err = p.At("checkpoint").Text(); err != nil || len(e.proof.checkpoint) > MaxCheckpoint {
		return nil, errors.New("inclusionProof: malformed checkpoint")
	}
	return e, nil
}

func hexText(v strictjson.Value) ([]byte, error) {
	text, err := v.Text()
	if err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != 32 {
		return nil, errors.New("malformed digest")
	}
	return sum, nil
}

// proven checks promise and inclusion by a trusted log of the search's name.
func (s *Search) proven(e *logEntry) error {
	for _, l := range s.logs() {
		if !e.promised(l) {
			continue
		}
		return in("inclusion not proven", e.included(l))
	}
	return errors.New("inclusion not proven: no trusted log promised it")
}

// statementSaid is an entry about a signed statement.
type statementSaid struct {
	payload     string // digest
	payloadType string // "" where the entry does not say
	sig         []byte // of kind intoto
	verifier    []byte // PEM
}

// statementEntry reads the kinds that hold statements; nil for others.
func statementEntry(e *logEntry, spec strictjson.Value) *statementSaid {
	said := &statementSaid{}
	var hash, verifier strictjson.Value
	switch e.kind + " " + e.version {
	case "dsse 0.0.1":
		one, err := only(spec.At("signatures"))
		if err != nil {
			return nil
		}
		hash, verifier = spec.At("payloadHash"), one.At("verifier")
	case "intoto 0.0.2":
		env := spec.At("content", "envelope")
		one, err := only(env.At("signatures"))
		if err != nil {
			return nil
		}
		hash, verifier = spec.At("content", "payloadHash"), one.At("publicKey")
		said.payloadType, _ = env.At("payloadType").Text()
		if twice, err := sized(one.At("sig"), 2*MaxSignature); err == nil {
			said.sig, _ = base64.StdEncoding.DecodeString(string(twice))
		}
	default:
		return nil
	}
	algorithm, err := hash.At("algorithm").Text()
	if err != nil || algorithm != "sha256" {
		return nil
	}
	sum, err := hexText(hash.At("value"))
	if err != nil {
		return nil
	}
	said.payload = hex.EncodeToString(sum)
	if said.verifier, err = sized(verifier, MaxPEM); err != nil {
		return nil
	}
	return said
}

// signer names the principal of a key or certificate in PEM.
func (s *Search) signer(text []byte) string {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return ""
	case block.Type == "CERTIFICATE":
		return s.certified(block.Bytes)
	case block.Type == "PUBLIC KEY":
		return s.keyed(block.Bytes)
	}
	return ""
}

// bundle puts a statement that the log kept together again.
func (said *statementSaid) bundle(e *logEntry, payload []byte) (*Bundle, error) {
	type object = map[string]any
	hashes := []string{}
	enc := base64.StdEncoding.EncodeToString
	for _, h := range e.proof.hashes {
		hashes = append(hashes, enc(h))
	}
	material := object{"tlogEntries": []object{{"logIndex": fmt.Sprint(e.index), "logId": object{"keyId": enc(e.logID)}, "kindVersion": object{"kind": e.kind, "version": e.version},
		"integratedTime": fmt.Sprint(e.integrated), "inclusionPromise": object{"signedEntryTimestamp": enc(e.promise)}, "canonicalizedBody": enc(e.body),
		"inclusionProof": object{"logIndex": fmt.Sprint(e.proof.index), "rootHash": enc(e.proof.root), "treeSize": fmt.Sprint(e.proof.size), "hashes": hashes, "checkpoint": object{"envelope": e.proof.checkpoint}}}}}
	if block, _ := pem.Decode(said.verifier); block != nil && block.Type == "CERTIFICATE" {
		material["certificate"] = object{"rawBytes": enc(block.Bytes)}
	} else {
		material["publicKey"] = object{"hint": ""}
	}
	document, err := json.Marshal(object{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": material,
		"dsseEnvelope": object{"payload": enc(payload), "payloadType": said.payloadType, "signatures": []object{{"sig": enc(said.sig)}}}})
	if err != nil {
		return nil, err
	}
	return Parse(fmt.Sprintf("log entry %d", e.index), document)
}
