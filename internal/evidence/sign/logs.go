package sign

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

type object = map[string]any

// logged is what a log is told of.
type logged struct {
	bundle *bundlepb.Bundle
	key    crypto.PublicKey
	der    []byte // certificate, or SubjectPublicKeyInfo of a bare key
	pem    []byte // the same in PEM
}

// tiles writes to Rekor v2 (rekor-tiles, API v2): always a hashedrekord, for an envelope over its pre-authentication encoding.
func (s *service) tiles(ctx context.Context, l *logged) (*rekorpb.TransparencyLogEntry, error) {
	details, err := signature.GetDefaultAlgorithmDetails(l.key, options.WithED25519ph()) // only algorithms that hash first can be logged
	if err != nil {
		return nil, err
	}
	content, digest := l.bundle.GetMessageSignature().GetSignature(), l.bundle.GetMessageSignature().GetMessageDigest().GetDigest()
	if e := l.bundle.GetDsseEnvelope(); e != nil {
		h := details.GetHashType().New()
		h.Write(evidence.PAE(e.PayloadType, e.Payload))
		content, digest = e.Signatures[0].Sig, h.Sum(nil)
	}
	verifier := object{"keyDetails": details.GetSignatureAlgorithm().String()}
	if l.bundle.GetVerificationMaterial().GetCertificate() != nil {
		verifier["x509Certificate"] = object{"rawBytes": l.der}
	} else {
		verifier["publicKey"] = object{"rawBytes": l.der}
	}
	question, err := json.Marshal(object{"hashedRekordRequestV002": object{"digest": digest, "signature": object{"content": content, "verifier": verifier}}})
	if err != nil {
		return nil, err
	}
	where, err := url.JoinPath(s.base, "api", "v2", "log", "entries")
	if err != nil {
		return nil, err
	}
	answer, _, err := s.post(ctx, where, "application/json", nil, question, http.StatusCreated)
	if err != nil {
		return nil, err
	}
	var out rekorpb.TransparencyLogEntry
	if err := protojson.Unmarshal(answer, &out); err != nil {
		return nil, fault.Inconclusivef(remote.Redact(where), "unreadable answer")
	}
	return &out, nil
}

// classic writes to Rekor v1 (rekor, API v1): a dsse entry for an envelope, a hashedrekord for an artefact.
func (s *service) classic(ctx context.Context, l *logged) (*rekorpb.TransparencyLogEntry, error) {
	kind, spec, err := proposed(l)
	if err != nil {
		return nil, err
	}
	question, err := json.Marshal(object{"apiVersion": "0.0.1", "kind": kind, "spec": spec})
	if err != nil {
		return nil, err
	}
	where, err := url.JoinPath(s.base, "api", "v1", "log", "entries")
	if err != nil {
		return nil, err
	}
	answer, resp, err := s.post(ctx, where, "application/json", nil, question, http.StatusCreated, http.StatusConflict)
	if err == nil && resp.StatusCode == http.StatusConflict { // it was logged before: the entry says so where it lies
		answer, err = s.entry(ctx, where, path.Base(resp.Header.Get("Location")))
	}
	if err != nil {
		return nil, err
	}
	out, err := readEntry(kind, answer)
	if err != nil {
		return nil, fault.Inconclusivef(remote.Redact(where), "unreadable answer: %w", err)
	}
	return out, nil
}

func proposed(l *logged) (kind string, spec object, err error) {
	if e := l.bundle.GetDsseEnvelope(); e != nil {
		envelope, err := json.Marshal(object{"payloadType": e.PayloadType, "payload": e.Payload, "signatures": []object{{"sig": e.Signatures[0].Sig}}})
		return "dsse", object{"proposedContent": object{"envelope": string(envelope), "verifiers": [][]byte{l.pem}}}, err
	}
	m := l.bundle.GetMessageSignature()
	algorithm := map[commonpb.HashAlgorithm]string{commonpb.HashAlgorithm_SHA2_256: "sha256", commonpb.HashAlgorithm_SHA2_384: "sha384", commonpb.HashAlgorithm_SHA2_512: "sha512"}[m.GetMessageDigest().GetAlgorithm()]
	if algorithm == "" {
		return "", nil, errors.New("unsupported digest algorithm")
	}
	return "hashedrekord", object{"data": object{"hash": object{"algorithm": algorithm, "value": hex.EncodeToString(m.GetMessageDigest().GetDigest())}},
		"signature": object{"content": m.GetSignature(), "publicKey": object{"content": l.pem}}}, nil
}

// entry reads an entry by its id.
func (s *service) entry(ctx context.Context, where, id string) ([]byte, error) {
	if _, err := hex.DecodeString(id); err != nil || id == "" {
		return nil, fault.Inconclusivef(remote.Redact(where), "says that the entry exists, and not where")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where+"/"+id, nil)
	if err != nil {
		return nil, err
	}
	answer, _, err := s.do(req, http.StatusOK)
	return answer, err
}

// readEntry turns the answer of Rekor v1 into the form that bundles hold.
func readEntry(kind string, answer []byte) (*rekorpb.TransparencyLogEntry, error) {
	var list map[string]struct {
		Body           string
		IntegratedTime int64
		LogID          string
		LogIndex       int64
		Verification   struct {
			SignedEntryTimestamp []byte
			InclusionProof       struct {
				Checkpoint, RootHash string
				Hashes               []string
				LogIndex, TreeSize   int64
			}
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil || len(list) != 1 {
		return nil, errors.New("want one entry")
	}
	for _, e := range list {
		body, err := base64.StdEncoding.DecodeString(e.Body)
		id, err2 := hex.DecodeString(e.LogID)
		proof := e.Verification.InclusionProof
		root, err3 := hex.DecodeString(proof.RootHash)
		if err := errors.Join(err, err2, err3); err != nil {
			return nil, err
		}
		var version struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := json.Unmarshal(body, &version); err != nil || version.Kind != kind {
			return nil, errors.New("entry of another kind")
		}
		out := &rekorpb.TransparencyLogEntry{LogIndex: e.LogIndex, LogId: &commonpb.LogId{KeyId: id}, IntegratedTime: e.IntegratedTime, CanonicalizedBody: body,
			KindVersion:      &rekorpb.KindVersion{Kind: version.Kind, Version: version.APIVersion},
			InclusionPromise: &rekorpb.InclusionPromise{SignedEntryTimestamp: e.Verification.SignedEntryTimestamp},
			InclusionProof:   &rekorpb.InclusionProof{LogIndex: proof.LogIndex, RootHash: root, TreeSize: proof.TreeSize, Checkpoint: &rekorpb.Checkpoint{Envelope: proof.Checkpoint}}}
		for _, h := range proof.Hashes {
			raw, err := hex.DecodeString(h)
			if err != nil {
				return nil, err
			}
			out.InclusionProof.Hashes = append(out.InclusionProof.Hashes, raw)
		}
		return out, nil
	}
	return nil, errors.New("no entry")
}
