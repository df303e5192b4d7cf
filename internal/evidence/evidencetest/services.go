package evidencetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/digitorus/timestamp"
)

// Services are the instance's services on the loopback: what a signer talks to.
type Services struct {
	URL string

	mu   sync.Mutex
	i    *Instance
	fail map[string]int // answers of 503 still to give, by path prefix
}

// Serve starts the services: certificates at /fulcio, Rekor v1 at /rekor1, v2 at /rekor2, timestamps at /tsa.
func (i *Instance) Serve() *Services {
	i.tb.Helper()
	s := &Services{i: i, fail: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /fulcio/api/v2/signingCert", s.issue)
	mux.HandleFunc("POST /rekor1/api/v1/log/entries", s.log1)
	mux.HandleFunc("POST /rekor2/api/v2/log/entries", s.log2)
	mux.HandleFunc("POST /tsa", s.stamp)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.failing(r.URL.Path) {
			http.Error(w, "come back later", http.StatusServiceUnavailable)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	i.tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Fail lets the next n questions below a path be answered with 503.
func (s *Services) Fail(prefix string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[prefix] = n
}

func (s *Services) failing(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for prefix, n := range s.fail {
		if strings.HasPrefix(path, prefix) && n > 0 {
			s.fail[prefix]--
			return true
		}
	}
	return false
}

// SigningConfig names the services: logs of a version, or none for 0.
func (s *Services) SigningConfig(version int) []byte {
	service := func(path string, version int) []any {
		return []any{object{"url": s.URL + path, "majorApiVersion": version, "operator": "test", "validFor": object{"start": At}}}
	}
	c := object{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": service("/fulcio", 1),
		"tsaUrls": service("/tsa", 1), "tsaConfig": object{"selector": "ANY"}, "rekorTlogConfig": object{"selector": "ANY"}}
	if version > 0 {
		c["rekorTlogUrls"] = service("/rekor"+strconv.Itoa(version), version)
	}
	return marshal(s.i, c)
}

// Token returns an identity token for a subject, unsigned: this authority believes everybody.
func Token(subject string) string {
	claims, err := json.Marshal(object{"iss": Issuer, "sub": subject, "aud": "sigstore", "email": subject, "email_verified": true})
	if err != nil {
		panic(err) // values of tests
	}
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(claims) + "." + enc([]byte("none"))
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<22)).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func (s *Services) issue(w http.ResponseWriter, r *http.Request) {
	var q struct {
		PublicKeyRequest struct{ PublicKey struct{ Content string } }
	}
	if !decode(w, r, &q) {
		return
	}
	parts := strings.Split(r.Header.Get("Authorization"), ".")
	block, _ := pem.Decode([]byte(q.PublicKeyRequest.PublicKey.Content))
	if len(parts) != 3 || block == nil {
		http.Error(w, "no token or no key", http.StatusBadRequest)
		return
	}
	var claims struct{ Email string }
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	public, err2 := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || err2 != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	c, _ := s.i.Certificate(Leaf{Identity: claims.Email, Public: public, From: time.Now().Add(-time.Minute)})
	chain := []string{}
	for _, one := range []*x509.Certificate{c, s.i.Intermediate, s.i.Root} {
		chain = append(chain, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw})))
	}
	w.Write(marshal(s.i, object{"signedCertificateEmbeddedSct": object{"chain": object{"certificates": chain}}}))
}

func (s *Services) log2(w http.ResponseWriter, r *http.Request) {
	var q struct {
		HashedRekordRequestV002 struct {
			Digest    string
			Signature struct {
				Content  string
				Verifier map[string]any
			}
		}
	}
	if !decode(w, r, &q) {
		return
	}
	h := q.HashedRekordRequestV002
	e := &Entry{Kind: "hashedrekord", Version: "0.0.2", LogID: s.i.LogID(s.i.Rekor2.Public()), Index: 3,
		Body: marshal(s.i, object{"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": object{"hashedRekordV002": object{
			"data": object{"algorithm": "SHA2_256", "digest": h.Digest}, "signature": object{"content": h.Signature.Content, "verifier": h.Signature.Verifier}}}})}
	s.i.Prove(e)
	w.WriteHeader(http.StatusCreated)
	w.Write(marshal(s.i, e.object()))
}

// log1 takes the one kind that is proposed for envelopes.
func (s *Services) log1(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Kind string
		Spec struct {
			ProposedContent struct {
				Envelope  string
				Verifiers []string
			}
		}
	}
	if !decode(w, r, &q) {
		return
	}
	var env struct {
		Payload    []byte
		Signatures []struct{ Sig []byte }
	}
	if err := json.Unmarshal([]byte(q.Spec.ProposedContent.Envelope), &env); err != nil || q.Kind != "dsse" || len(env.Signatures) != 1 || len(q.Spec.ProposedContent.Verifiers) != 1 {
		http.Error(w, "unsupported entry", http.StatusBadRequest)
		return
	}
	e := &Entry{Kind: "dsse", Version: "0.0.1", LogID: s.i.LogID(s.i.Rekor1.Public()), Index: 1003, Integrated: time.Now().Unix(),
		Body: marshal(s.i, object{"apiVersion": "0.0.1", "kind": "dsse", "spec": object{
			"envelopeHash": object{"algorithm": "sha256", "value": SHA256([]byte(q.Spec.ProposedContent.Envelope))},
			"payloadHash":  object{"algorithm": "sha256", "value": SHA256(env.Payload)},
			"signatures":   []any{object{"signature": b64(env.Signatures[0].Sig), "verifier": q.Spec.ProposedContent.Verifiers[0]}}}})}
	e.Promise = s.i.Promise(e)
	s.i.Prove(e)
	hashes := []string{}
	for _, h := range e.Hashes {
		hashes = append(hashes, hex.EncodeToString(h))
	}
	uuid := hex.EncodeToString(leafHash(e.Body))
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	w.Write(marshal(s.i, object{uuid: object{"body": b64(e.Body), "integratedTime": e.Integrated, "logIndex": e.Index, "logID": hex.EncodeToString(e.LogID),
		"verification": object{"signedEntryTimestamp": b64(e.Promise), "inclusionProof": object{"logIndex": e.ProofIndex, "treeSize": e.TreeSize,
			"rootHash": hex.EncodeToString(e.RootHash), "hashes": hashes, "checkpoint": e.Checkpoint}}}}))
}

func (s *Services) stamp(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q, err := timestamp.ParseRequest(data)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t := timestamp.Timestamp{HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: time.Now(), Nonce: q.Nonce,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: true}
	response, err := t.CreateResponseWithOpts(s.i.TSA, s.i.tsaKey, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	w.Write(response)
}

// MarshalKey returns a private key in PEM, PKCS #8.
func MarshalKey(i interface{ Fatal(...any) }, key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		i.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
