package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// service is one service of a signing config. Its clients are written here: the generated ones initialise more than a
// whole check of a signature costs, in every run of the program.
type service struct {
	base   string
	client *http.Client
}

// post asks a question and returns the answer, its status and where it points to. What is not among wanted is an error.
func (s *service) post(ctx context.Context, where, contentType string, header http.Header, body []byte, wanted ...int) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", contentType)
	return s.do(req, wanted...)
}

func (s *service) do(req *http.Request, wanted ...int) ([]byte, *http.Response, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	where := remote.Redact(req.URL.String())
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return nil, nil, err
	case len(answer) > MaxAnswer:
		return nil, nil, fault.Inconclusivef(where, "answer exceeds %d bytes", MaxAnswer)
	}
	for _, status := range wanted {
		if resp.StatusCode == status {
			return answer, resp, nil
		}
	}
	return nil, nil, fault.Inconclusivef(where, "answered %d %s", resp.StatusCode, fault.Quote(shorten(string(answer))))
}

// certify asks Fulcio (fulcio, API v2, signingCert) for a certificate of the key for the token's subject, and proves that
// the key is at hand by signing the subject.
func (s *service) certify(ctx context.Context, p *pair, token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) < 2 {
		return nil, fault.Usagef("identity token", "malformed")
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fault.Usagef("identity token", "malformed")
	}
	subject, err := oauthflow.SubjectFromUnverifiedToken(claims) // the authority verifies it
	if err != nil {
		return nil, fault.Usagef("identity token", "names nobody: %s", fault.Quote(shorten(err.Error())))
	}
	proof, _, err := p.SignData(ctx, []byte(subject))
	if err != nil {
		return nil, err
	}
	type publicKey struct {
		Algorithm string `json:"algorithm"`
		Content   string `json:"content"`
	}
	type request struct {
		PublicKey publicKey `json:"publicKey"`
		Proof     []byte    `json:"proofOfPossession"`
	}
	question, err := json.Marshal(map[string]request{"publicKeyRequest": {publicKey{p.algorithm(), string(p.key.PublicPEM())}, proof}})
	if err != nil {
		return nil, err
	}
	answer, _, err := s.post(ctx, s.base+"/api/v2/signingCert", "application/json", http.Header{"Authorization": {"Bearer " + token}}, question, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var a struct {
		Embedded, Detached struct {
			Chain struct{ Certificates []string }
		}
	}
	var raw map[string]json.RawMessage
	if json.Unmarshal(answer, &raw) != nil || unmarshal(raw["signedCertificateEmbeddedSct"], &a.Embedded) != nil || unmarshal(raw["signedCertificateDetachedSct"], &a.Detached) != nil {
		return nil, fault.Inconclusivef(remote.Redact(s.base), "unreadable answer")
	}
	chain := append(a.Embedded.Chain.Certificates, a.Detached.Chain.Certificates...)
	if len(chain) > 0 { // the signer's own stands first
		if block, _ := pem.Decode([]byte(chain[0])); block != nil {
			if _, err := x509.ParseCertificate(block.Bytes); err == nil {
				return block.Bytes, nil
			}
		}
	}
	return nil, fault.Inconclusivef(remote.Redact(s.base), "gave no certificate")
}

func unmarshal(data json.RawMessage, into any) error {
	if data == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}

// stamp asks for an RFC 3161 timestamp over a signature.
func (s *service) stamp(ctx context.Context, signature []byte) ([]byte, error) {
	sum := sha256.Sum256(signature)
	question, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:]}).Marshal()
	if err != nil {
		return nil, err
	}
	answer, _, err := s.post(ctx, s.base, "application/timestamp-query", nil, question, http.StatusOK, http.StatusCreated)
	if err != nil {
		return nil, err
	}
	if _, err := timestamp.ParseResponse(answer); err != nil {
		return nil, fault.Inconclusivef(remote.Redact(s.base), "unreadable timestamp")
	}
	return answer, nil
}
