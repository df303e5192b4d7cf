package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Key is a private key that stays where it is: in this process, or in a KMS.
type Key struct {
	public crypto.PublicKey
	spki   []byte
	local  crypto.PrivateKey                                                     // nil for a KMS
	remote func(ctx context.Context, hash crypto.Hash) (signature.Signer, error) // nil for a file
}

// LoadKey reads a private key in PEM: PKCS #8, PKCS #1 or SEC 1, or as cosign encrypts it. The password is asked for
// only when the key is encrypted.
func LoadKey(path string, password func() ([]byte, error)) (*Key, error) {
	st, err := os.Stat(path)
	if err == nil && (!st.Mode().IsRegular() || st.Size() > MaxKeyFile) {
		return nil, fault.Usagef(fault.Quote(path), "is no key file of at most %d bytes", MaxKeyFile)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", err)
	}
	return ParseKey(path, data, password)
}

// ParseKey reads a private key, see LoadKey.
func ParseKey(name string, data []byte, password func() ([]byte, error)) (*Key, error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fault.Usagef(fault.Quote(name), "holds no private key in PEM")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fault.Usagef(fault.Quote(name), "holds more than one key")
	case block.Type == "PUBLIC KEY" || block.Type == "CERTIFICATE":
		return nil, fault.Usagef(fault.Quote(name), "is a %q, want the private key", block.Type)
	}
	private, err := cryptoutils.UnmarshalPEMToPrivateKey(data, func(bool) ([]byte, error) {
		if password == nil {
			return nil, errors.New("a password is needed")
		}
		return password()
	})
	if err != nil {
		return nil, fault.Usagef(fault.Quote(name), "unusable private key: %w", err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fault.Usagef(fault.Quote(name), "unsupported private key")
	}
	return newKey(name, signer.Public(), private, nil)
}

// OpenKMS names a key in a KMS: gcpkms://, awskms://, azurekms://, hashivault://, or any scheme for which a program
// sigstore-kms-SCHEME is installed (sigstore's plug-in protocol). No KMS is linked into this program: all of them go
// through their plug-in, and PKCS #11 tokens through one too.
func OpenKMS(ctx context.Context, uri string) (*Key, error) {
	open := func(ctx context.Context, hash crypto.Hash) (signature.Signer, error) { return kms.Get(ctx, uri, hash) }
	s, err := open(ctx, crypto.SHA256)
	if err != nil {
		var missing *kms.ProviderNotFoundError
		if errors.As(err, &missing) {
			return nil, fault.Usagef(fault.Quote(uri), "no such KMS").WithHint("install the program sigstore-kms-SCHEME for its scheme")
		}
		return nil, fault.Inconclusivef(fault.Quote(uri), "the KMS failed: %s", fault.Quote(shorten(err.Error())))
	}
	public, err := s.PublicKey(options.WithContext(ctx))
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(uri), "the KMS gives no public key: %s", fault.Quote(shorten(err.Error())))
	}
	return newKey(uri, public, nil, open)
}

func newKey(name string, public crypto.PublicKey, local crypto.PrivateKey, remote func(context.Context, crypto.Hash) (signature.Signer, error)) (*Key, error) {
	if _, err := signature.GetDefaultAlgorithmDetails(public); err != nil {
		return nil, fault.Usagef(fault.Quote(name), "unsupported key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(name), "unsupported key: %w", err)
	}
	return &Key{public, spki, local, remote}, nil
}

// PublicPEM returns the public key as cosign.pub holds it.
func (k *Key) PublicPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.spki})
}

// pair is the key for one kind of content. Over an artefact Ed25519 signs the digest (Ed25519ph), as logs demand; over
// an envelope the bytes themselves.
func (k *Key) pair(message bool) (*pair, error) {
	var load []signature.LoadOption
	if message {
		load = append(load, options.WithED25519ph())
	}
	details, err := signature.GetDefaultAlgorithmDetails(k.public, load...)
	if err != nil {
		return nil, fault.Usagef("key", "unsupported: %w", err)
	}
	return &pair{k, details, load}, nil
}

type pair struct {
	key     *Key
	details signature.AlgorithmDetails
	load    []signature.LoadOption
}

// hint is how cosign and others name a bare key: base64 of the digest of its SubjectPublicKeyInfo.
func (p *pair) hint() string {
	sum := sha256.Sum256(p.key.spki)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// algorithm is Fulcio's name of the kind of key.
func (p *pair) algorithm() string {
	switch p.key.public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA"
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return ""
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// SignData returns the signature and the digest that it is over, or data itself for pure Ed25519.
func (p *pair) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	hash := p.details.GetHashType()
	digest = data
	if hash != 0 {
		h := hash.New()
		h.Write(data)
		digest = h.Sum(nil)
	}
	var signer signature.Signer
	if p.key.remote != nil {
		signer, err = p.key.remote(ctx, hash)
	} else {
		signer, err = signature.LoadSignerFromAlgorithmDetails(p.key.local, p.details, p.load...)
	}
	if err != nil {
		return nil, nil, fault.Inconclusivef("key", "cannot sign: %s", fault.Quote(shorten(err.Error())))
	}
	sig, err = signer.SignMessage(bytes.NewReader(data), options.WithContext(ctx))
	if err != nil {
		return nil, nil, fault.Inconclusivef("key", "cannot sign: %s", fault.Quote(shorten(err.Error())))
	}
	return sig, digest, nil
}

// jitter spreads a pause over its length and twice that.
func jitter(d time.Duration) time.Duration { return d + rand.N(d) }
