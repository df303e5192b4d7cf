package debian

import (
	"bytes"
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/glassbuild/glassbuild/internal/fault"
)

var (
	signedAt = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	later    = signedAt.AddDate(0, 1, 0)
)

func newKey(t *testing.T, name string, made time.Time, life time.Duration) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", name+"@archive.example", &packet.Config{Time: func() time.Time { return made }, Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: uint32(life.Seconds())})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func public(t *testing.T, e *openpgp.Entity, armoured bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if !armoured {
		if err := e.Serialize(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err == nil {
		if err = e.Serialize(w); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sign(t *testing.T, text string, at time.Time, by ...*openpgp.Entity) []byte {
	t.Helper()
	var keys []*packet.PrivateKey
	for _, e := range by {
		keys = append(keys, e.PrivateKey)
	}
	var b bytes.Buffer
	w, err := clearsign.EncodeMulti(&b, keys, &packet.Config{DefaultHash: crypto.SHA256, Time: func() time.Time { return at }})
	if err == nil {
		if _, err = w.Write([]byte(text)); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

const releaseText = `Origin: Example
Suite: stable
Codename: bookworm
Date: Wed, 01 Jul 2026 11:00:00 UTC
Valid-Until: Wed, 08 Jul 2026 11:00:00 UTC
Acquire-By-Hash: yes
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages.xz
 0000000000000000000000000000000000000000000000000000000000000001       10 main/binary-amd64/Packages.gz
`

func TestOpenRelease(t *testing.T) {
	t.Parallel()
	made := signedAt.AddDate(-1, 0, 0)
	ours, theirs := newKey(t, "archive", made, 0), newKey(t, "somebody", made, 0)
	short := newKey(t, "short", made, 24*time.Hour)     // ran out long before it signed
	ended := newKey(t, "ended", made, 370*24*time.Hour) // ran out after it signed
	revoked := newKey(t, "revoked", made, 0)
	if err := revoked.RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: func() time.Time { return made }}); err != nil {
		t.Fatal(err)
	}
	keys := &Keyring{}
	for i, e := range []*openpgp.Entity{ours, short, ended, revoked} {
		if err := keys.Add(e.PrimaryIdentity().Name, public(t, e, i%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	good := sign(t, releaseText, signedAt, ours)
	for _, c := range []struct {
		name string
		data []byte
		want string // "" is good
	}{
		{"signed", good, ""},
		{"by a known and an unknown key", sign(t, releaseText, signedAt, theirs, ours), ""},
		{"key ran out later", sign(t, releaseText, signedAt, ended), ""},
		{"unknown key", sign(t, releaseText, signedAt, theirs), "not signed by a key that counts"},
		{"key had run out", sign(t, releaseText, signedAt, short), "not signed by a key that counts"},
		{"revoked key", sign(t, releaseText, signedAt, revoked), "not signed by a key that counts"},
		{"in the future", sign(t, releaseText, later.Add(48*time.Hour), ours), "signed in the future"},
		{"unsigned", []byte(releaseText), "is not signed"},
		{"altered", bytes.Replace(good, []byte("000000001 "), []byte("000000002 "), 1), "not signed by a key that counts"},
		{"text before", append([]byte("Suite: x\n\n"), good...), "is not signed"},
		{"text after", append(bytes.Clone(good), "Suite: x\n"...), "trailing data"},
		{"signed twice over", append(bytes.Clone(good), good...), "trailing data"},
		{"no signature", good[:bytes.Index(good, []byte("-----BEGIN PGP SIGNATURE"))], "malformed signed message"},
		{"other suite", sign(t, strings.Replace(releaseText, "Codename: bookworm", "Codename: sid", 1), signedAt, ours), "another suite"},
		{"file twice", sign(t, releaseText+" 0000000000000000000000000000000000000000000000000000000000000001 10 main/binary-amd64/Packages.gz\n", signedAt, ours), "stands twice"},
		{"path that climbs", sign(t, releaseText+" 0000000000000000000000000000000000000000000000000000000000000001 10 ../x\n", signedAt, ours), "malformed line"},
		{"no SHA-256", sign(t, strings.Replace(releaseText, "SHA256:", "MD5Sum:", 1), signedAt, ours), "lists no file"},
		{"no date", sign(t, strings.Replace(releaseText, "Date: Wed, 01", "Date: 32", 1), signedAt, ours), "malformed Date"},
		{"too long", bytes.Repeat([]byte("x"), MaxRelease+1), "exceeds limit"},
	} {
		r, err := OpenRelease(c.data, "bookworm", keys, later)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Failed):
			t.Errorf("%s: %v", c.name, err)
		case c.want == "":
			if f, ok := r.Index("main", "amd64"); !ok || f.Path != "main/binary-amd64/Packages.gz" || f.Size != 10 {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
	}
	r, err := OpenRelease(good, "stable", keys, later)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Fresh(signedAt); err != nil {
		t.Error(err)
	}
	if err := r.Fresh(later); err == nil || fault.ClassOf(err) != fault.Failed || !strings.Contains(err.Error(), "expired on 2026-07-08") {
		t.Errorf("expired: %v", err)
	}
}
