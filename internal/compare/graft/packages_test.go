package graft_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// pgp makes an OpenPGP key in a home of its own and returns the home and a policy that knows the key.
func pgp(t *testing.T) (string, *trust.Trust) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gpg") // short: the agent's socket has a place below it
	check(t, err)
	home := filepath.Join(dir, ".gnupg")
	check(t, os.Mkdir(home, 0o700))
	// debsigs asks for the oldest dialect of OpenPGP, which hashes with SHA-1
	check(t, os.WriteFile(filepath.Join(home, "gpg.conf"), []byte("digest-algo SHA512\n"), 0o600))
	t.Cleanup(func() {
		cmd := exec.Command("gpgconf", "--homedir", home, "--kill", "all")
		_ = cmd.Run() // the agent of this home, if there is one
		os.RemoveAll(dir)
	})
	run(t, dir, "gpg", "--homedir", home, "--batch", "--passphrase", "", "--quick-gen-key", "vendor@example.org", "rsa3072", "sign", "never")
	run(t, dir, "gpg", "--homedir", home, "--batch", "--armor", "--output", filepath.Join(dir, "key.asc"), "--export", "vendor@example.org")
	keys, err := trust.New([]trust.Principal{{Name: "vendor", OpenPGP: [][]byte{load(t, filepath.Join(dir, "key.asc"))}}}, nil)
	check(t, err)
	return dir, keys
}

const spec = `Name: a
Version: 1
Release: 1
Summary: a
License: MIT
BuildArch: noarch
%description
a
%install
mkdir -p %{buildroot}/usr/share/a
echo hello > %{buildroot}/usr/share/a/a
%files
/usr/share/a/a
`

func TestRPM(t *testing.T) {
	t.Parallel()
	dir, keys := pgp(t)
	check(t, os.WriteFile(filepath.Join(dir, "a.spec"), []byte(spec), 0o600))
	run(t, dir, "rpmbuild", "--define", "_topdir "+dir+"/top", "-bb", "a.spec")
	name := filepath.Join(dir, "top/RPMS/noarch/a-1-1.noarch.rpm")
	rebuilt := load(t, name)
	run(t, dir, "rpmsign", "--define", "_gpg_name vendor@example.org", "--define", "__gpg /usr/bin/gpg", "--define", "_gpg_path "+dir+"/.gnupg", "--addsign", name)
	shipped := load(t, name)
	if bytes.Equal(rebuilt, shipped) {
		t.Fatal("rpmsign changed nothing")
	}
	accepted(t, judge(t, shipped, rebuilt, keys, allow.RPMSignature))
	everyByte(t, shipped, rebuilt, keys, 0, len(shipped), 37, nil, allow.RPMSignature)
	// 4096 bytes of reserved space are where a payload would hide
	if i := bytes.Index(shipped, make([]byte, 1000)); i < 0 {
		t.Error("no reserved space in the sample")
	} else if out := judge(t, append(append(bytes.Clone(shipped[:i+8]), "payload"...), shipped[i+15:]...), rebuilt, keys, allow.RPMSignature); out.Equivalent {
		t.Error("a payload in the reserved space was accepted")
	}
	if out := judge(t, append(bytes.Clone(shipped), "payload"...), rebuilt, keys, allow.RPMSignature); out.Equivalent {
		t.Error("a payload behind the package was accepted")
	}
}

func TestDeb(t *testing.T) {
	t.Parallel()
	dir, keys := pgp(t)
	root := filepath.Join(dir, "root")
	check(t, os.MkdirAll(filepath.Join(root, "DEBIAN"), 0o755))
	check(t, os.WriteFile(filepath.Join(root, "DEBIAN/control"), []byte("Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"), 0o644))
	check(t, os.WriteFile(filepath.Join(root, "file"), []byte("hello\n"), 0o644))
	run(t, dir, "dpkg-deb", "--root-owner-group", "-b", "root", "a.deb")
	name := filepath.Join(dir, "a.deb")
	rebuilt := load(t, name)
	t.Run("debsigs", func(t *testing.T) {
		run(t, dir, "debsigs", "--sign=origin", "-k", "vendor@example.org", "a.deb")
		shipped := load(t, name)
		accepted(t, judge(t, shipped, rebuilt, keys, allow.DebSignature))
		everyByte(t, shipped, rebuilt, keys, 0, len(rebuilt), 13, nil, allow.DebSignature)
		debVectors(t, shipped, rebuilt, keys)
	})
	t.Run("by hand", func(t *testing.T) { // as debsigs does it, where that is not at hand
		check(t, os.WriteFile(name, rebuilt, 0o600))
		run(t, dir, "sh", "-c", "ar p a.deb > all && gpg --homedir .gnupg --batch --detach-sign --output _gpgorigin all")
		sig := string(load(t, filepath.Join(dir, "_gpgorigin")))
		shipped := append(bytes.Clone(rebuilt), fmt.Sprintf("_gpgorigin      1700000000  0     0     100644  %-10d`\n%s%s", len(sig), sig, strings.Repeat("\n", len(sig)%2))...)
		accepted(t, judge(t, shipped, rebuilt, keys, allow.DebSignature))
		debVectors(t, shipped, rebuilt, keys)
	})
}

func debVectors(t *testing.T, shipped, rebuilt []byte, keys *trust.Trust) {
	t.Helper()
	member := func(name, body string) []byte {
		b := []byte(name + strings.Repeat(" ", 16-len(name)) + "1700000000  0     0     100644  " + "8         `\n" + body)
		return b
	}
	for name, b := range map[string][]byte{
		"a member behind the signature":      append(bytes.Clone(shipped), member("payload", "payload!")...),
		"a signature that is none":           append(bytes.Clone(shipped), member("_gpgmaint", "payload!")...),
		"the same member twice":              append(bytes.Clone(shipped), shipped[len(rebuilt)+len(rebuilt)%2:]...),
		"bytes behind the signature":         append(bytes.Clone(shipped), "payload"...),
		"a mode that is not a file's":        patch(shipped, len(rebuilt)+40, "104755  "),
		"a name that is longer":              patch(shipped, len(rebuilt)+10, "hidden"),
		"a time of letters":                  patch(shipped, len(rebuilt)+16, "payload     "),
		"a changed byte of the signed files": flip(shipped, 80),
	} {
		if bytes.Equal(b, shipped) {
			t.Errorf("%s: the vector changes nothing", name)
		}
		if out := judge(t, b, rebuilt, keys, allow.DebSignature); out.Equivalent {
			t.Errorf("%s was accepted", name)
		}
	}
}

func patch(b []byte, at int, with string) []byte {
	c := bytes.Clone(b)
	copy(c[at:], with)
	return c
}

func flip(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 1
	return c
}

// TestModule signs as the kernel's sign-file does: PKCS#7 without attributes and certificates.
func TestModule(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"as the kernel": {"-noattr", "-nocerts"}, "by key identifier": {"-noattr", "-nocerts", "-keyid"}, "with attributes": {"-nosmimecap"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, false)
			rebuilt := bytes.Repeat([]byte("\x7fELF a module "), 300)
			check(t, os.WriteFile(filepath.Join(s.dir, "m.ko"), rebuilt, 0o600))
			run(t, s.dir, append([]string{"openssl", "cms", "-sign", "-binary", "-outform", "DER", "-md", "sha512", "-signer", s.cert, "-inkey", s.key, "-in", "m.ko", "-out", "sig"}, flags...)...)
			sig := load(t, filepath.Join(s.dir, "sig"))
			trailer := []byte{0, 0, 2, 0, 0, 0, 0, 0, 0, 0, byte(len(sig) >> 8), byte(len(sig))}
			magic := "~Module signature appended~\n"
			shipped := bytes.Join([][]byte{rebuilt, sig, trailer, []byte(magic)}, nil)
			accepted(t, judge(t, shipped, rebuilt, s.keys, allow.ModuleSignature))
			everyByte(t, shipped, rebuilt, s.keys, 0, len(rebuilt), 301, nil, allow.ModuleSignature)
			everyByte(t, shipped, rebuilt, s.keys, len(rebuilt), len(shipped), 3, nil, allow.ModuleSignature)
			long := bytes.Clone(trailer)
			long[10], long[11] = byte((len(sig)+7)>>8), byte(len(sig)+7)
			if out := judge(t, bytes.Join([][]byte{rebuilt, sig, []byte("payload"), long, []byte(magic)}, nil), rebuilt, s.keys, allow.ModuleSignature); out.Equivalent {
				t.Error("a payload behind the signature was accepted")
			}
		})
	}
}
