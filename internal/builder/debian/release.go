package debian

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Release is what a signed Release file says.
type Release struct {
	Origin, Suite, Codename, Version string
	Date                             time.Time
	ValidUntil                       time.Time // zero: no end
	ByHash                           bool      // indexes can be fetched under their digest
	Signer                           string    // fingerprint of the key that signed, hex
	SignerName                       string    // what that key calls itself; the keyring's word
	SignedAt                         time.Time
	Raw                              []byte // the InRelease file
	files                            map[string]File
}

// File is an index that a Release file lists.
type File struct {
	Path   string // below the folder of the Release file
	Size   int64
	SHA256 string // hex
}

// OpenRelease verifies an InRelease file for a suite and reads it. One of the signatures must be by a key of the keyring that
// was valid when it signed. Whether what it says is still current is another question: Fresh.
func OpenRelease(data []byte, suite string, keys *Keyring, now time.Time) (*Release, error) {
	object := "Release of " + fault.Quote(suite)
	if len(data) > MaxRelease {
		return nil, fault.Failf(object, "exceeds limit: %d bytes", len(data))
	}
	text, sig, err := verifyCleartext(object, data, keys, now)
	if err != nil {
		return nil, err
	}
	p, err := ParseParagraph(text, maxReleaseBody)
	if err != nil {
		return nil, fault.Failf(object, "%w", err)
	}
	r := &Release{Origin: p.Get("Origin"), Suite: p.Get("Suite"), Codename: p.Get("Codename"), Version: p.Get("Version"), ByHash: p.Get("Acquire-By-Hash") == "yes",
		Signer: sig.key, SignerName: sig.name, SignedAt: sig.at, Raw: data}
	// a mirror that serves another suite, signed all the same, would bring other versions
	if suite != r.Codename && suite != r.Suite {
		return nil, fault.Failf(object, "is that of another suite: %s (%s)", fault.Quote(r.Codename), fault.Quote(r.Suite))
	}
	if r.Date, err = releaseTime(p.Get("Date")); err != nil {
		return nil, fault.Failf(object, "malformed Date %s", fault.Quote(p.Get("Date")))
	}
	if until := p.Get("Valid-Until"); until != "" {
		if r.ValidUntil, err = releaseTime(until); err != nil {
			return nil, fault.Failf(object, "malformed Valid-Until %s", fault.Quote(until))
		}
	}
	if r.files, err = releaseFiles(p.Get("SHA256")); err != nil {
		return nil, fault.Failf(object, "%w", err)
	}
	return r, nil
}

// Fresh refuses a Release file that does not speak for today: a mirror that was stopped, or made to look so, hides security
// updates. It is asked when versions are chosen; afterwards the lock says which ones.
func (r *Release) Fresh(now time.Time) error {
	object := "Release of " + fault.Quote(r.Codename)
	if !r.ValidUntil.IsZero() && now.After(r.ValidUntil) {
		return fault.Failf(object, "expired on %s", r.ValidUntil.UTC().Format(time.DateTime)).
			WithHint("the mirror is stopped or replays an old state; a dated snapshot is named with mirror in the recipe")
	}
	return nil
}

// Index returns the Packages index of a component and architecture in the cheapest form that the Release file lists.
func (r *Release) Index(component, arch string) (File, bool) {
	for _, ext := range []string{".gz", ".xz", ""} {
		if f, ok := r.files[component+"/binary-"+arch+"/Packages"+ext]; ok {
			return f, true
		}
	}
	return File{}, false
}

func releaseTime(text string) (time.Time, error) {
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 MST", "Mon, 02 Jan 2006 15:04:05 -0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("malformed time")
}

// releaseFiles reads the lines "digest size path".
func releaseFiles(text string) (map[string]File, error) {
	files := map[string]File{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || !hexDigest(f[0]) || !validPath(f[2]) {
			return nil, fmt.Errorf("malformed line %s", fault.Quote(cut(strings.TrimSpace(line))))
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("malformed size %s", fault.Quote(f[1]))
		}
		if _, twice := files[f[2]]; twice {
			return nil, fmt.Errorf("%s stands twice", fault.Quote(f[2]))
		}
		files[f[2]] = File{Path: f[2], Size: size, SHA256: f[0]}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("lists no file by SHA-256")
	}
	return files, nil
}

type signer struct {
	key, name string
	at        time.Time
}

// verifyCleartext returns the text of a cleartext-signed message that is nothing else: what stands before or after it would be
// read by some programs and not by others.
func verifyCleartext(object string, data []byte, keys *Keyring, now time.Time) ([]byte, signer, error) {
	if !bytes.HasPrefix(data, []byte("-----BEGIN PGP SIGNED MESSAGE-----\n")) {
		return nil, signer{}, fault.Failf(object, "is not signed")
	}
	block, rest := clearsign.Decode(data)
	if block == nil {
		return nil, signer{}, fault.Failf(object, "malformed signed message")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, signer{}, fault.Failf(object, "trailing data after the signature")
	}
	armoured, err := io.ReadAll(io.LimitReader(block.ArmoredSignature.Body, MaxRelease))
	if err != nil {
		return nil, signer{}, fault.Failf(object, "malformed signature: %w", err)
	}
	by, err := oneSigner(block.Bytes, armoured, keys, now)
	if err != nil {
		return nil, signer{}, fault.Failf(object, "%w", err).WithHint("the system's keyring for Debian's archive is read, and archive-keys of the policy")
	}
	return block.Plaintext, by, nil
}

// oneSigner tries every signature by itself: an archive signs with its old and its new key, and one that is not known, or no
// longer valid, takes nothing from the other.
func oneSigner(text, armoured []byte, keys *Keyring, now time.Time) (signer, error) {
	var why []string
	packets := packet.NewReader(bytes.NewReader(armoured))
	for n := 0; ; n++ {
		p, err := packets.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return signer{}, fmt.Errorf("malformed signature: %w", err)
		}
		sig, ok := p.(*packet.Signature)
		if !ok || n >= maxSignatures {
			return signer{}, fmt.Errorf("malformed signature: something else stands in it, or too much")
		}
		by, err := check(text, sig, keys, now)
		if err == nil {
			return by, nil
		}
		why = append(why, err.Error())
	}
	if len(why) == 0 {
		return signer{}, fmt.Errorf("is not signed")
	}
	slices.Sort(why)
	return signer{}, fmt.Errorf("not signed by a key that counts: %s", strings.Join(slices.Compact(why), "; "))
}

// check judges one signature at the time at which it says it was made: what a lock names stays good when its key has run out.
func check(text []byte, sig *packet.Signature, keys *Keyring, now time.Time) (signer, error) {
	name := issuer(sig)
	if sig.CreationTime.After(now.Add(clockSkew)) {
		return signer{}, fmt.Errorf("key %s: signed in the future", name)
	}
	var raw bytes.Buffer
	if err := sig.Serialize(&raw); err != nil {
		return signer{}, fmt.Errorf("key %s: %w", name, err)
	}
	config := &packet.Config{Time: func() time.Time { return sig.CreationTime }}
	_, entity, err := openpgp.VerifyDetachedSignature(keys.keys, bytes.NewReader(text), &raw, config)
	if err != nil {
		return signer{}, fmt.Errorf("key %s: %w", name, err)
	}
	if entity.Revoked(now) {
		return signer{}, fmt.Errorf("key %s: revoked", name)
	}
	by := signer{key: name, at: sig.CreationTime}
	if id := entity.PrimaryIdentity(); id != nil {
		by.name = id.Name
	}
	return by, nil
}

func issuer(sig *packet.Signature) string {
	switch {
	case len(sig.IssuerFingerprint) > 0:
		return hex.EncodeToString(sig.IssuerFingerprint)
	case sig.IssuerKeyId != nil:
		return fmt.Sprintf("%016x", *sig.IssuerKeyId)
	}
	return "unknown"
}
