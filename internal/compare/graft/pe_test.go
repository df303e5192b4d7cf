package graft_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/compare/graft"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// program makes a small PE file with the compiler of this machine.
func program(t *testing.T, dir, body string) string {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(dir, "a.c"), []byte(body), 0o600))
	run(t, dir, "x86_64-w64-mingw32-gcc", "-s", "-nostdlib", "-e", "entry", "-Wl,--no-insert-timestamp", "-o", "a.exe", "a.c")
	return filepath.Join(dir, "a.exe")
}

const plainC = "int entry(void) { return 42; }\n"

func TestAuthenticode(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string][]string{"plain": nil, "page hashes": {"-ph"}, "sha384": {"-h", "sha384"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, false)
			exe := program(t, s.dir, plainC)
			args := append([]string{"osslsigncode", "sign", "-certs", s.cert, "-key", s.key, "-in", exe, "-out", filepath.Join(s.dir, "signed.exe")}, extra...)
			if extra == nil {
				args = append(args, "-h", "sha256")
			}
			run(t, s.dir, args...)
			rebuilt, shipped := load(t, exe), load(t, filepath.Join(s.dir, "signed.exe"))
			accepted(t, judge(t, shipped, rebuilt, s.keys, allow.PESignature))
			if out := judge(t, shipped, rebuilt, s.keys); out.Equivalent {
				t.Error("accepted though nobody allowed it")
			}
			table := bytes.Index(shipped[len(rebuilt):], []byte{0, 2, 2, 0}) + len(rebuilt) - 4
			everyByte(t, shipped, rebuilt, s.keys, 0, len(rebuilt), 37, nil, allow.PESignature)
			everyByte(t, shipped, rebuilt, s.keys, table, len(shipped), 7, fixSum, allow.PESignature)
			vectorsPE(t, s, shipped, rebuilt, table)
		})
	}
}

func vectorsPE(t *testing.T, s *signer, shipped, rebuilt []byte, table int) {
	padded := append(bytes.Clone(shipped), "payload1"...)
	at := int(binary.LittleEndian.Uint32(shipped[60:])) + 24 + 112 + 32
	binary.LittleEndian.PutUint32(padded[at+4:], uint32(len(padded)-table))
	longer := bytes.Clone(padded) // CVE-2013-3900: within the length of the certificate
	binary.LittleEndian.PutUint32(longer[table:], uint32(len(padded)-table))
	for name, b := range map[string][]byte{"a payload behind the certificate": fixSum(padded), "a payload in the certificate": fixSum(longer),
		"bytes behind the table": append(bytes.Clone(shipped), "payload1"...)} {
		if out := judge(t, b, rebuilt, s.keys, allow.PESignature); out.Equivalent {
			t.Errorf("%s was accepted", name)
		}
	}
	stranger, err := trust.New(nil, nil)
	check(t, err)
	out := judge(t, shipped, rebuilt, stranger, allow.PESignature)
	if !out.Equivalent || out.Signed[0].Signers[0].Status != signature.StatusGoodUntrusted || out.Signed[0].Signers[0].Signer != "" {
		t.Errorf("a stranger's: %v %q", out.Equivalent, out.Reason)
	}
}

// fixSum writes the right checksum.
func fixSum(b []byte) []byte {
	at := int64(binary.LittleEndian.Uint32(b[60:])) + 24 + 64
	sum, _ := graft.PEChecksum(bytes.NewReader(b), at)
	binary.LittleEndian.PutUint32(b[at:], sum)
	return b
}

// TestAuthenticodeOverOtherCode signs another program with the same key: the signature holds, the bytes are not ours.
func TestAuthenticodeOverOtherCode(t *testing.T) {
	t.Parallel()
	s := newSigner(t, false)
	rebuilt := load(t, program(t, s.dir, plainC))
	exe := program(t, s.dir, "int entry(void) { return 66; }\n")
	run(t, s.dir, "osslsigncode", "sign", "-certs", s.cert, "-key", s.key, "-h", "sha256", "-in", exe, "-out", filepath.Join(s.dir, "signed.exe"))
	if out := judge(t, load(t, filepath.Join(s.dir, "signed.exe")), rebuilt, s.keys, allow.PESignature); out.Equivalent {
		t.Fatal("another program was accepted")
	}
}
