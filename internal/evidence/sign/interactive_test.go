package sign_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/sign"
)

// issuer is a small OpenID provider: discovery, keys, the authorization code flow with PKCE (RFC 7636) and the device
// flow (RFC 8628), whose person says yes at the second poll.
type issuer struct {
	*httptest.Server
	key       *ecdsa.PrivateKey
	nonce     string
	challenge string
	polls     int
	deny      bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("/keys", i.keys)
	mux.HandleFunc("/auth", i.authorize)
	mux.HandleFunc("/device", i.device)
	mux.HandleFunc("/token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"device_authorization_endpoint": i.URL + "/device", "code_challenge_methods_supported": []string{"S256"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
	})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	point, _ := i.key.PublicKey.Bytes() // 4, x, y
	answer(w, map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "x": encode(point[1:33]), "y": encode(point[33:])}}})
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i.nonce, i.challenge = q.Get("nonce"), q.Get("code_challenge")
	http.Redirect(w, r, q.Get("redirect_uri")+"?code=letmein&state="+q.Get("state"), http.StatusFound)
}

func (i *issuer) device(w http.ResponseWriter, r *http.Request) {
	i.challenge = r.FormValue("code_challenge")
	answer(w, map[string]any{"device_code": "letmein", "user_code": "ABCD-EFGH", "verification_uri": i.URL + "/verify", "expires_in": 60, "interval": 1})
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.polls++
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case i.deny:
		answer(w, map[string]string{"error": "access_denied"})
	case encode(sum[:]) != i.challenge || r.FormValue("code")+r.FormValue("device_code") != "letmein":
		http.Error(w, "not the one who asked", http.StatusForbidden)
	case r.FormValue("device_code") != "" && i.polls < 2:
		answer(w, map[string]string{"error": "authorization_pending"})
	default:
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": i.sign()})
	}
}

func (i *issuer) sign() string {
	now := time.Now().Unix()
	claims, _ := json.Marshal(map[string]any{"iss": i.URL, "aud": sign.Audience, "sub": "ada", "email": "ada@example.org", "email_verified": true, "iat": now, "exp": now + 60, "nonce": i.nonce})
	text := encode([]byte(`{"alg":"ES256"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, _ := ecdsa.Sign(rand.Reader, i.key, sum[:])
	return text + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func wantAda(t *testing.T, token string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %q", token)
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !strings.Contains(string(claims), `"email":"ada@example.org"`) {
		t.Errorf("%s, %v", claims, err)
	}
}

// TestDeviceFlow signs in with a code that is typed in elsewhere.
func TestDeviceFlow(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	var said []string
	token, err := sign.Interactive(i.URL, sign.Device, func(s string) { said = append(said, s) })
	if err != nil {
		t.Fatal(err)
	}
	wantAda(t, token)
	if text := strings.Join(said, "\n"); !strings.Contains(text, "ABCD-EFGH") || !strings.Contains(text, i.URL+"/verify") || i.polls != 2 {
		t.Errorf("%d polls, said %q", i.polls, text)
	}
	i.deny = true
	if _, err := sign.Interactive(i.URL, sign.Device, func(string) {}); err == nil || !strings.Contains(err.Error(), "nobody signed in") {
		t.Errorf("a person who says no: %v", err)
	}
}

// TestBrowserFlow signs in with a browser on this machine; the test is the browser.
func TestBrowserFlow(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	for _, name := range []string{"xdg-open", "x-www-browser", "www-browser", "open"} { // what would open a window
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	address := regexp.MustCompile(regexp.QuoteMeta(i.URL) + `/auth\?\S+`)
	page := make(chan error, 1)
	token, err := sign.Interactive(i.URL, sign.Browser, func(s string) {
		if u := address.FindString(s); u != "" {
			go func() { page <- visit(t.Context(), u) }()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	wantAda(t, token)
	if err := <-page; err != nil {
		t.Error(err)
	}
}

func visit(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the page after signing in: %s", resp.Status)
	}
	return nil
}
