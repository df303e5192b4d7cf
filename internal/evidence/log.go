package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// verify checks one entry: that it is an entry of exactly this signature, by exactly this key, over exactly this
// payload, and that a trusted log holds it. It returns a nil log for an entry of a log that nobody here knows: that one
// counts nothing. The time is the zero one when the log did not sign any.
func (e *logEntry) verify(s *signed, logs map[string]*trustedLog) (*trustedLog, time.Time, error) {
	log := logs[hex.EncodeToString(e.logID)]
	if log == nil {
		return nil, time.Time{}, nil
	}
	if err := e.matches(s); err != nil {
		return nil, time.Time{}, fmt.Errorf("log entry does not match: %w", err)
	}
	var at time.Time
	if len(e.promise) > 0 {
		if !e.promised(log) {
			return nil, time.Time{}, errors.New("inclusion not proven: the log's promise is not signed by its key")
		}
		at = time.Unix(e.integrated, 0).UTC()
		if !log.at(at) {
			return nil, time.Time{}, fmt.Errorf("log's key not valid at %s", stamp(at))
		}
	}
	if e.proof != nil {
		if err := e.included(log); err != nil {
			return nil, time.Time{}, fmt.Errorf("inclusion not proven: %w", err)
		}
	} else if len(e.promise) == 0 {
		return nil, time.Time{}, errors.New("inclusion not proven: neither proof nor promise")
	}
	return log, at, nil
}

// promised checks Rekor v1's signed entry timestamp: a signature over the canonical JSON of entry, time, log and index.
func (e *logEntry) promised(l *trustedLog) bool {
	var b bytes.Buffer
	b.WriteString(`{"body":"`)
	b.WriteString(base64.StdEncoding.EncodeToString(e.body))
	b.WriteString(`","integratedTime":`)
	b.WriteString(strconv.FormatInt(e.integrated, 10))
	b.WriteString(`,"logID":"`)
	b.WriteString(hex.EncodeToString(e.logID))
	b.WriteString(`","logIndex":`)
	b.WriteString(strconv.FormatInt(e.index, 10))
	b.WriteString(`}`)
	return verifyByLog(l.PublicKey, b.Bytes(), e.promise)
}

// verifyByLog checks a log's signature: SHA-256 whatever the curve, as Rekor signs.
func verifyByLog(public crypto.PublicKey, message, sig []byte) bool {
	sum := sha256.Sum256(message)
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum[:], sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, sig)
	}
	return false
}

// included checks the signed checkpoint and the proof that leads to it (RFC 6962, section 2.1.1). In Rekor v2 index and
// name of the log are part of what is checked; in v1 the index within the shard stands only in the proof.
func (e *logEntry) included(l *trustedLog) error {
	c, err := e.checkpoint(l)
	if err != nil {
		return err
	}
	p := e.proof
	switch {
	case !bytes.Equal(c.root, p.root):
		return errors.New("the checkpoint is of another root")
	case c.size != uint64(p.size):
		return errors.New("the checkpoint is of another size")
	case e.rekor2() && e.index != p.index:
		return errors.New("the proof is for another index")
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(e.body)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.index), uint64(p.size), leaf, p.hashes, p.root); err != nil {
		return errors.New("the proof does not lead to the root")
	}
	return nil
}

type checkpoint struct {
	origin string
	size   uint64
	root   []byte
}

// checkpoint opens the signed note (C2SP tlog-checkpoint, signed-note). One signature by the log's key is needed; those
// of witnesses are not known here and count nothing.
func (e *logEntry) checkpoint(l *trustedLog) (c checkpoint, err error) {
	verifiers := logNote{log: l}
	if e.rekor2() {
		u, err := url.Parse(l.BaseURL)
		if err != nil || u.Hostname() == "" {
			return c, errors.New("the trusted root names no address for the log")
		}
		verifiers.name = u.Hostname()
	}
	n, err := note.Open([]byte(e.proof.checkpoint), verifiers)
	if err != nil {
		return c, errors.New("the checkpoint is not signed by the log")
	}
	if raw, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64); err != nil || base64.StdEncoding.EncodeToString(raw) != n.Sigs[0].Base64 {
		return c, errors.New("the checkpoint's signature is not in its one encoding")
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) != 4 || lines[0] == "" {
		return c, errors.New("malformed checkpoint")
	}
	c.origin = lines[0]
	if c.size, err = strconv.ParseUint(lines[1], 10, 63); err != nil || strconv.FormatUint(c.size, 10) != lines[1] {
		return c, errors.New("malformed checkpoint: size")
	}
	if c.root, err = base64.StdEncoding.Strict().DecodeString(lines[2]); err != nil || len(c.root) != sha256.Size {
		return c, errors.New("malformed checkpoint: root")
	}
	// the origin is signed, the name beside the signature is not: in v2 they are one, in v1 the tree's id follows
	if name := n.Sigs[0].Name; c.origin != name && (e.rekor2() || !strings.HasPrefix(c.origin, name+" - ")) {
		return c, fmt.Errorf("the checkpoint is of %q", cut(c.origin))
	}
	return c, nil
}

// logNote finds the verifier of a log's signature line. In Rekor v2 the trusted root says the name too.
type logNote struct {
	log  *trustedLog
	name string // "": any
}

// Verifier implements note.Verifiers.
func (n logNote) Verifier(name string, hash uint32) (note.Verifier, error) {
	if n.name != "" && name != n.name || hash != keyHash(name, n.log.PublicKey, n.log.id) {
		return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
	}
	return noteKey{name, hash, n.log.PublicKey}, nil
}

type noteKey struct {
	name   string
	hash   uint32
	public crypto.PublicKey
}

func (k noteKey) Name() string                { return k.name }
func (k noteKey) KeyHash() uint32             { return k.hash }
func (k noteKey) Verify(msg, sig []byte) bool { return verifyByLog(k.public, msg, sig) }

// keyHash is the key id in a signature line: of ECDSA keys the beginning of the digest of the key, of the others as the
// signed-note specification says.
func keyHash(name string, public crypto.PublicKey, id [32]byte) uint32 {
	sum := id
	switch k := public.(type) {
	case ed25519.PublicKey:
		sum = sha256.Sum256(append([]byte(name+"\n\x01"), k...))
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			return 0
		}
		sum = sha256.Sum256(append([]byte(name+"\n\xffPKIX-RSA-PKCS#1v1.5"), der...))
	}
	return binary.BigEndian.Uint32(sum[:4])
}
