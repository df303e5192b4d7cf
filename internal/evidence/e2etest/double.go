package e2etest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// issuer is the smallest OpenID provider that Fulcio takes tokens from.
type issuer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func listen(t *testing.T, address string, h http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t, evidencetest.Key("issuer")}
	mux := http.NewServeMux()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(v)
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", answer(object{"issuer": IssuerURL, "jwks_uri": IssuerURL + "/keys", "authorization_endpoint": IssuerURL + "/auth", "token_endpoint": IssuerURL + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"}}))
	x, y := make([]byte, 32), make([]byte, 32)
	mux.HandleFunc("/keys", answer(object{"keys": []any{object{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1",
		"x": base64.RawURLEncoding.EncodeToString(i.key.X.FillBytes(x)), "y": base64.RawURLEncoding.EncodeToString(i.key.Y.FillBytes(y))}}}))
	listen(t, "127.0.0.1:8888", mux)
	return i
}

// token returns an identity token with these claims (RFC 7519, ES256).
func (i *issuer) token(claims object) string {
	now := time.Now()
	claims["iss"], claims["aud"], claims["iat"], claims["nbf"], claims["exp"] = IssuerURL, audience, now.Unix(), now.Unix(), now.Add(10*time.Minute).Unix()
	body, err := json.Marshal(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	text := enc([]byte(`{"alg":"ES256","kid":"1","typ":"JWT"}`)) + "." + enc(body)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		i.t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + enc(sig)
}

// startCT starts what signs as a certificate transparency log does. It is a signer, not a log: it keeps nothing.
func startCT(t *testing.T) crypto.PublicKey {
	t.Helper()
	key := evidencetest.Key("ct")
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(der)
	add := func(kind ct.LogEntryType) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var q ct.AddChainRequest
			if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			var chain []*ctx509.Certificate
			for _, b := range q.Chain {
				c, err := ctx509.ParseCertificate(b)
				if ctx509.IsFatal(err) {
					http.Error(w, err.Error(), http.StatusBadRequest)
					return
				}
				chain = append(chain, c)
			}
			millis := uint64(time.Now().UnixMilli())
			sig, err := promise(key, chain, kind, id, millis)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			enc := base64.StdEncoding.EncodeToString
			json.NewEncoder(w).Encode(object{"sct_version": 0, "id": enc(id[:]), "timestamp": millis, "extensions": "", "signature": enc(sig)})
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ct/v1/add-chain", add(ct.X509LogEntryType))
	mux.HandleFunc("/ct/v1/add-pre-chain", add(ct.PrecertLogEntryType))
	listen(t, "127.0.0.1:6962", mux)
	return key.Public()
}

func promise(key *ecdsa.PrivateKey, chain []*ctx509.Certificate, kind ct.LogEntryType, id [32]byte, millis uint64) ([]byte, error) {
	leaf, err := ct.MerkleTreeLeafFromChain(chain, kind, millis)
	if err != nil {
		return nil, err
	}
	input, err := ct.SerializeSCTSignatureInput(ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: id}, Timestamp: millis}, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	sig, err := tls.CreateSignature(*key, tls.SHA256, input)
	if err != nil {
		return nil, err
	}
	return tls.Marshal(sig)
}
