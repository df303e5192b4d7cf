package signature

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/trust"
)

// sshsigMagic opens both the signature blob and the bytes that are signed (PROTOCOL.sshsig).
const sshsigMagic = "SSHSIG"

var errSSHSIG = errors.New("malformed SSH signature")

// sshSignature is one SSHSIG blob.
type sshSignature struct {
	blob        []byte
	key         ssh.PublicKey    // that signed; of a certificate, the key in it
	printed     string           // its fingerprint
	certificate *ssh.Certificate // nil: a bare key
	namespace   string
	reserved    []byte
	hashName    string
	hash        crypto.Hash
	signature   *ssh.Signature
}

// parseSSHSIG reads a blob: magic, version, key, namespace, reserved, hash algorithm, signature, and nothing behind. Keys that
// the policy holds were parsed when it was loaded.
func parseSSHSIG(blob []byte, known *trust.Trust) (*sshSignature, error) {
	w := reader{rest: blob}
	if string(w.take(len(sshsigMagic))) != sshsigMagic {
		return nil, errSSHSIG
	}
	version := w.take(4)
	key, namespace, reserved, hash, sig := w.str(), w.str(), w.str(), w.str(), w.str()
	if w.failed || len(w.rest) > 0 {
		return nil, errSSHSIG
	}
	if v := binary.BigEndian.Uint32(version); v != 1 {
		return nil, unsupportedError(fmt.Sprintf("SSHSIG version %d", v))
	}
	s := &sshSignature{blob: blob, namespace: string(namespace), reserved: reserved, hashName: string(hash)}
	if s.namespace == "" {
		return nil, errors.New("empty namespace")
	}
	if len(reserved) > 0 {
		return nil, unsupportedError("SSHSIG with something in the reserved field")
	}
	switch s.hashName {
	case "sha256":
		s.hash = crypto.SHA256
	case "sha512":
		s.hash = crypto.SHA512
	default:
		return nil, unsupportedError(fmt.Sprintf("SSHSIG hash %q", s.hashName))
	}
	var err error
	var ok bool
	if s.key, s.printed, ok = known.ParsedSSHKey(key); !ok {
		if err = s.parseKey(key); err != nil {
			return nil, err
		}
		s.printed = ssh.FingerprintSHA256(s.key)
	}
	s.signature, err = parseSSHSignature(sig, s.key)
	return s, err
}

// parseKey takes a bare key or a certificate.
func (s *sshSignature) parseKey(blob []byte) error {
	w := reader{rest: blob}
	if kind := string(w.str()); !strings.HasSuffix(kind, "-cert-v01@openssh.com") {
		var err error
		s.key, err = keyOrUnsupported(kind, blob)
		return err
	}
	parsed, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return errSSHSIG
	}
	c, ok := parsed.(*ssh.Certificate)
	if !ok || !bytes.Equal(c.Marshal(), blob) {
		return errSSHSIG
	}
	s.certificate = c
	s.key, err = keyOrUnsupported(c.Key.Type(), c.Key.Marshal())
	return err
}

// keyOrUnsupported tells a key of a kind or strength that is not accepted from one that is damaged.
func keyOrUnsupported(kind string, blob []byte) (ssh.PublicKey, error) {
	key, err := trust.ParseSSHBlob(blob)
	if err == nil {
		return key, nil
	}
	if strings.Contains(err.Error(), "unsupported") {
		return nil, unsupportedError(err.Error())
	}
	if kind == "ssh-dss" || strings.HasPrefix(kind, "webauthn-") {
		return nil, unsupportedError(fmt.Sprintf("SSH key type %q", kind))
	}
	return nil, errSSHSIG
}

// parseSSHSignature reads the inner signature and demands its one encoding. RSA with SHA-1 ("ssh-rsa") is refused, as
// PROTOCOL.sshsig demands.
func parseSSHSignature(blob []byte, key ssh.PublicKey) (*ssh.Signature, error) {
	w := reader{rest: blob}
	format, sig := string(w.str()), w.str()
	if w.failed {
		return nil, errSSHSIG
	}
	if !slices.Contains(sshFormats(key.Type()), format) {
		if key.Type() == ssh.KeyAlgoRSA && format == ssh.KeyAlgoRSA {
			return nil, unsupportedError("weak hash SHA-1 (ssh-rsa)")
		}
		return nil, fmt.Errorf("signature of type %q by a key of type %q", format, key.Type())
	}
	s := &ssh.Signature{Format: format, Blob: sig, Rest: w.rest}
	sk := strings.HasPrefix(format, "sk-")
	if sk && len(s.Rest) != 5 || !sk && len(s.Rest) != 0 {
		return nil, errSSHSIG
	}
	if sk && s.Rest[0]&userPresence == 0 {
		return nil, unsupportedError("security key signed without anybody touching it")
	}
	if strings.Contains(format, "ecdsa") {
		var rs struct{ R, S *big.Int }
		if err := ssh.Unmarshal(sig, &rs); err != nil || !bytes.Equal(ssh.Marshal(&rs), sig) {
			return nil, errSSHSIG
		}
	}
	return s, nil
}

// userPresence is the flag by which a security key says that somebody touched it (PROTOCOL.u2f). OpenSSH leaves it to
// the reader of a detached signature; a key that anything on the machine may use is not what such a key is trusted for.
const userPresence = 0x01

func sshFormats(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
	}
	return []string{keyType}
}

// signedBytes is what the key signed: magic, namespace, reserved, hash algorithm, hash of the message.
func (s *sshSignature) signedBytes(message []byte) []byte {
	h := s.hash.New()
	h.Write(message)
	out := []byte(sshsigMagic)
	for _, part := range [][]byte{[]byte(s.namespace), s.reserved, []byte(s.hashName), h.Sum(nil)} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

// reader reads the SSH wire format (RFC 4251, section 5); after a short read everything is empty and failed is set.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) str() []byte {
	n := r.take(4)
	if n == nil {
		return nil
	}
	size := binary.BigEndian.Uint32(n)
	if uint64(size) > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return nil
	}
	return r.take(int(size))
}
