package graft_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/allow"
)

// store makes a key store of a signer for the tools of Java.
func (s *signer) store(t *testing.T) string {
	t.Helper()
	run(t, s.dir, "openssl", "pkcs12", "-export", "-in", s.cert, "-inkey", s.key, "-out", "store.p12", "-name", "vendor", "-passout", "pass:secret")
	return filepath.Join(s.dir, "store.p12")
}

func TestJar(t *testing.T) {
	t.Parallel()
	s := newSigner(t, false)
	check(t, os.MkdirAll(filepath.Join(s.dir, "a"), 0o755))
	check(t, os.WriteFile(filepath.Join(s.dir, "a/B.class"), bytes.Repeat([]byte("some class "), 300), 0o644))
	check(t, os.WriteFile(filepath.Join(s.dir, "a/settings.txt"), []byte("x = 1\n"), 0o644))
	run(t, s.dir, "jar", "--create", "--file", "b.jar", "--main-class", "a.B", "--date", "2024-01-02T03:04:06Z", "a")
	run(t, s.dir, "jarsigner", "-keystore", s.store(t), "-storepass", "secret", "-signedjar", "s.jar", "b.jar", "vendor")
	rebuilt, shipped := load(t, filepath.Join(s.dir, "b.jar")), load(t, filepath.Join(s.dir, "s.jar"))
	accepted(t, judge(t, shipped, rebuilt, s.keys, allow.JarSignature))
	everyByte(t, shipped, rebuilt, s.keys, 0, len(shipped), 7, nil, allow.JarSignature)
	for name, change := range map[string]func([]zipMember) []zipMember{
		"a member more": func(m []zipMember) []zipMember { return append(m, zipMember{name: "evil.class", body: "evil"}) },
		"another block": func(m []zipMember) []zipMember {
			return append(m, zipMember{name: "META-INF/OTHER.RSA", body: "payload"})
		},
		"a file of nobody":   func(m []zipMember) []zipMember { return append(m, zipMember{name: "META-INF/SIG-X", body: "payload"}) },
		"a member changed":   func(m []zipMember) []zipMember { m[len(m)-1].body = "x = 2\n"; return m },
		"a manifest of two":  func(m []zipMember) []zipMember { m[0].body += "Name: no\r\nSHA-256-Digest: x\r\n\r\n"; return m },
		"a comment":          func(m []zipMember) []zipMember { m[1].comment = "payload"; return m },
		"an extra field":     func(m []zipMember) []zipMember { m[1].extra = "\x99\x99\x07\x00payload"; return m },
		"set-uid":            func(m []zipMember) []zipMember { m[1].mode = 0o104755; return m },
		"another main class": func(m []zipMember) []zipMember { m[0].body = strings.Replace(m[0].body, "a.B", "a.C", 1); return m },
	} {
		if out := judge(t, rewrite(t, shipped, change), rebuilt, s.keys, allow.JarSignature, allow.ZipMtime, allow.ZipStream); out.Equivalent {
			t.Errorf("%s was accepted", name)
		}
	}
	same := rewrite(t, shipped, func(m []zipMember) []zipMember { return m }) // the vectors fail for their own reasons
	if out := judge(t, same, rewrite(t, rebuilt, func(m []zipMember) []zipMember { return m }), s.keys, allow.JarSignature, allow.ZipMtime, allow.ZipStream); !good(out) {
		t.Errorf("rewritten and unchanged: %q", out.Reason)
	}
}

type zipMember struct {
	name, body, comment, extra string
	mode                       uint32
	at                         time.Time
}

// rewrite reads a zip, changes its members and writes it again.
func rewrite(t *testing.T, b []byte, change func([]zipMember) []zipMember) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	check(t, err)
	var list []zipMember
	for _, f := range z.File {
		r, err := f.Open()
		check(t, err)
		data, err := io.ReadAll(r)
		check(t, err)
		list = append(list, zipMember{name: f.Name, body: string(data), at: f.Modified})
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range change(list) {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Comment: m.comment, Extra: []byte(m.extra), CreatorVersion: 20}
		if strings.HasSuffix(m.name, "/") {
			h.Method = zip.Store
		}
		if m.mode != 0 {
			h.CreatorVersion, h.ExternalAttrs = 3<<8|20, m.mode<<16
		}
		var packed bytes.Buffer
		if h.Method == zip.Deflate {
			d, err := flate.NewWriter(&packed, 6)
			check(t, err)
			io.WriteString(d, m.body)
			check(t, d.Close())
		}
		h.CRC32, h.CompressedSize64, h.UncompressedSize64 = crc(m.body), uint64(packed.Len()), uint64(len(m.body))
		f, err := w.CreateRaw(h)
		check(t, err)
		f.Write(packed.Bytes())
	}
	check(t, w.Close())
	return out.Bytes()
}

func TestAPK(t *testing.T) {
	t.Parallel()
	for name, v1 := range map[string]string{"block only": "false", "block and jar": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, false)
			plain := rewrite(t, emptyZip(t), func([]zipMember) []zipMember {
				return []zipMember{{name: "AndroidManifest.xml", body: strings.Repeat("x", 300)}, {name: "classes.dex", body: "dex\n035\x00" + strings.Repeat("code", 500)}}
			})
			check(t, os.WriteFile(filepath.Join(s.dir, "plain.apk"), plain, 0o600))
			run(t, s.dir, "zipalign", "-p", "4", "plain.apk", "b.apk")
			run(t, s.dir, "apksigner", "sign", "--ks", s.store(t), "--ks-pass", "pass:secret", "--min-sdk-version", "24", "--v1-signing-enabled", v1, "--v4-signing-enabled", "false", "--in", "b.apk", "--out", "s.apk")
			rebuilt, shipped := load(t, filepath.Join(s.dir, "b.apk")), load(t, filepath.Join(s.dir, "s.apk"))
			accepted(t, judge(t, shipped, rebuilt, s.keys, allow.APKSignature))
			everyByte(t, shipped, rebuilt, s.keys, 0, len(shipped), 61, nil, allow.APKSignature)
			// an unknown block, where the padding is
			at := bytes.Index(shipped, []byte{0x77, 0x65, 0x72, 0x42})
			if at < 0 {
				t.Fatal("no padding in the signing block")
			}
			if out := judge(t, patch(shipped, at, "\x44\x4b\x53\x50"), rebuilt, s.keys, allow.APKSignature); out.Equivalent {
				t.Error("an unknown block was accepted")
			}
			if out := judge(t, patch(shipped, at+20, "payload"), rebuilt, s.keys, allow.APKSignature); out.Equivalent {
				t.Error("a payload in the padding was accepted")
			}
			if out := judge(t, shipped, rebuilt, s.keys, allow.JarSignature); out.Equivalent {
				t.Error("a signing block was taken for a jar signature")
			}
		})
	}
}

func emptyZip(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, zip.NewWriter(&b).Close())
	return b.Bytes()
}

// TestNuGet makes the signature as its specification says: no tool of a distribution does.
func TestNuGet(t *testing.T) {
	t.Parallel()
	s := newSigner(t, true)
	rebuilt := rewrite(t, emptyZip(t), func([]zipMember) []zipMember {
		return []zipMember{{name: "a.nuspec", body: "<package/>"}, {name: "lib/a.dll", body: strings.Repeat("MZ", 400)}}
	})
	sum := sha256.Sum256(rebuilt)
	check(t, os.WriteFile(filepath.Join(s.dir, "text"), []byte("Version:1\n\n2.16.840.1.101.3.4.2.1-Hash:"+base64.StdEncoding.EncodeToString(sum[:])+"\n\n"), 0o600))
	run(t, s.dir, "openssl", "cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-outform", "DER", "-md", "sha256", "-signer", s.cert, "-inkey", s.key, "-in", "text", "-out", "sig")
	shipped := withStored(rebuilt, ".signature.p7s", load(t, filepath.Join(s.dir, "sig")))
	accepted(t, judge(t, shipped, rebuilt, s.keys, allow.NuGetSignature))
	everyByte(t, shipped, rebuilt, s.keys, 0, len(shipped), 11, nil, allow.NuGetSignature)
	if out := judge(t, withStored(shipped, "evil.dll", []byte("MZ")), rebuilt, s.keys, allow.NuGetSignature); out.Equivalent {
		t.Error("a member behind the signature was accepted")
	}
}

func crc(s string) uint32 { return crcOf([]byte(s)) }

// withStored adds a stored member to a zip and leaves every other byte as it is.
func withStored(b []byte, name string, data []byte) []byte {
	le := binary.LittleEndian
	end := bytes.Clone(b[len(b)-22:])
	dir := int(le.Uint32(end[16:]))
	head := make([]byte, 26)
	le.PutUint16(head, 20)
	le.PutUint16(head[8:], 0x5421)
	le.PutUint32(head[10:], crcOf(data))
	le.PutUint32(head[14:], uint32(len(data)))
	le.PutUint32(head[18:], uint32(len(data)))
	le.PutUint16(head[22:], uint16(len(name)))
	out := append(bytes.Clone(b[:dir]), "PK\x03\x04"...)
	out = append(append(append(out, head...), name...), data...)
	at := len(out)
	out = append(append(out, b[dir:len(b)-22]...), "PK\x01\x02\x14\x00"...)
	out = append(append(out, head...), make([]byte, 14)...)
	le.PutUint32(out[len(out)-4:], uint32(dir))
	out = append(out, name...)
	le.PutUint16(end[8:], le.Uint16(end[8:])+1)
	le.PutUint16(end[10:], le.Uint16(end[10:])+1)
	le.PutUint32(end[12:], uint32(len(out)-at))
	le.PutUint32(end[16:], uint32(at))
	return append(out, end...)
}
