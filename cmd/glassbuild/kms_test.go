package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	gcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
)

// playKMS answers as a program sigstore-kms-SCHEME does: it opens the key that the call names and does what is asked with it.
func playKMS(open func(*common.PluginArgs) (signature.SignerVerifier, error)) {
	args, err := handler.GetPluginArgs(os.Args)
	if err != nil {
		os.Exit(1)
	}
	key, err := open(args)
	if err != nil {
		handler.WriteErrorResponse(os.Stdout, err)
		os.Exit(1)
	}
	if _, err := handler.Dispatch(os.Stdout, os.Stdin, args, kmsKey{key}); err != nil {
		os.Exit(1)
	}
}

type kmsKey struct{ signature.SignerVerifier }

func (kmsKey) DefaultAlgorithm() string      { return "ecdsa-p256" }
func (kmsKey) SupportedAlgorithms() []string { return []string{"ecdsa-p256"} }
func (kmsKey) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("creates no keys")
}
func (kmsKey) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("hands out no signer")
}

// playKeyFile is sigstore-kms-keyfile: keyfile://NAME is the private key NAME.
func playKeyFile() {
	playKMS(func(args *common.PluginArgs) (signature.SignerVerifier, error) {
		data, err := os.ReadFile(args.InitOptions.KeyResourceID)
		if err != nil {
			return nil, err
		}
		key, err := cryptoutils.UnmarshalPEMToPrivateKey(data, cryptoutils.SkipPassword)
		if err != nil {
			return nil, err
		}
		return signature.LoadSignerVerifier(key, args.InitOptions.HashFunc)
	})
}

// playToken is sigstore-kms-token: token://TOKEN/LABEL is a key that never leaves a PKCS #11 token. OpenSC's pkcs11-tool speaks to the
// token's module, so that nothing has to be linked with C.
func playToken() {
	playKMS(func(args *common.PluginArgs) (signature.SignerVerifier, error) {
		name, label, ok := strings.Cut(args.InitOptions.KeyResourceID, "/")
		if !ok {
			return nil, fmt.Errorf("%q names no token and key", args.InitOptions.KeyResourceID)
		}
		return &tokenKey{token: name, label: label}, nil
	})
}

type tokenKey struct {
	signature.Verifier // nothing is verified here
	token, label       string
}

// tool runs pkcs11-tool with input and returns its output. The PIN stands in the environment, as in any plug-in for tokens.
func (k *tokenKey) tool(input []byte, args ...string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "token")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, input, 0o600); err != nil {
		return nil, err
	}
	args = append(args, "--module", os.Getenv("PKCS11_MODULE"), "--token-label", k.token, "--label", k.label, "--input-file", in, "--output-file", out)
	if said, err := exec.Command("pkcs11-tool", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("token: %v: %s", err, bytes.TrimSpace(said))
	}
	return os.ReadFile(out)
}

func (k *tokenKey) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	der, err := k.tool(nil, "--read-object", "--type", "pubkey")
	if err != nil {
		return nil, err
	}
	return x509.ParsePKIXPublicKey(der)
}

func (k *tokenKey) SignMessage(message io.Reader, _ ...signature.SignOption) ([]byte, error) {
	data, err := io.ReadAll(message)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return k.tool(sum[:], "--sign", "--mechanism", "ECDSA", "--signature-format", "openssl", "--login", "--pin", os.Getenv("PKCS11_PIN"))
}

// softhsm is where SoftHSM's module lies.
var softhsm = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"}

// TestE2EToken signs with a key in a PKCS #11 token, SoftHSM's, through a plug-in program.
func TestE2EToken(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("GLASSBUILD_E2E is not set")
	}
	if !probe(t) {
		t.Skip("this machine cannot rebuild")
	}
	module := ""
	for _, m := range softhsm {
		if _, err := os.Stat(m); err == nil {
			module = m
		}
	}
	for _, program := range []string{"softhsm2-util", "pkcs11-tool", "openssl"} {
		if _, err := exec.LookPath(program); err != nil || module == "" {
			t.Skip("SKIPPED: no PKCS #11 token to sign with: install softhsm2, opensc and openssl")
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, args := range [][]string{
		{"softhsm2-util", "--init-token", "--free", "--label", "glassbuild", "--pin", "1234", "--so-pin", "5678"},
		{"pkcs11-tool", "--module", module, "--token-label", "glassbuild", "--login", "--pin", "1234", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "release"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "glassbuild-e2e", "cache")
	if err := fetchToolchain(t, filepath.Join(cache, "glassbuild")); err != nil {
		t.Skip("the Go toolchain cannot be fetched:", err)
	}
	script, err := os.ReadFile("testdata/token.txtar")
	if err != nil {
		t.Fatal(err)
	}
	script = append([]byte("env PKCS11_MODULE="+module+"\nenv SOFTHSM2_CONF="+conf+"\n"), script...)
	file := filepath.Join(dir, "token.txtar")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		t.Fatal(err)
	}
	attestScripts(t, cache, file)
}

// imageLayout is "imagelayout DIR FILE": a folder with an OCI layout that holds an image whose one layer is the file.
func imageLayout(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: imagelayout dir file")
	}
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer([]byte(ts.ReadFile(args[1])), "application/octet-stream")})
	ts.Check(err)
	p, err := gcrlayout.Write(ts.MkAbs(args[0]), empty.Index)
	ts.Check(err)
	ts.Check(p.AppendImage(img))
}
