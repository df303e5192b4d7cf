package graft_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/allow"
)

// machoOf is a small program of two segments with room for one more load command.
func machoOf(body string) []byte {
	le := binary.LittleEndian
	b := []byte{0xcf, 0xfa, 0xed, 0xfe}
	for _, v := range []uint32{0x0100000c, 0, 2, 2, 144, 0, 0} {
		b = le.AppendUint32(b, v)
	}
	segment := func(name string, at, size, memory uint64) {
		b = le.AppendUint32(le.AppendUint32(b, 0x19), 72)
		b = append(b, name+strings.Repeat("\x00", 16-len(name))...)
		for _, v := range []uint64{0x100000000 + at, memory, at, size} {
			b = le.AppendUint64(b, v)
		}
		b = append(b, make([]byte, 16)...)
	}
	segment("__TEXT", 0, 0x4000, 0x4000)
	segment("__LINKEDIT", 0x4000, 100, 0x4000)
	b = append(b, make([]byte, 0x4000-len(b))...)
	copy(b[0x1000:], body)
	return append(b, bytes.Repeat([]byte("link"), 25)...)
}

// signMacho signs as codesign does: a code directory over pages of 4 KiB, requirements, and CMS over the directory where
// there is a signer. change alters the parts before they are put together.
func signMacho(t testing.TB, plain []byte, s *signer, change func(parts map[uint32][]byte)) []byte {
	t.Helper()
	le, be := binary.LittleEndian, binary.BigEndian
	end := (len(plain) + 15) &^ 15
	b := append(bytes.Clone(plain), make([]byte, end-len(plain))...)
	ncmds, size := le.Uint32(b[16:]), le.Uint32(b[20:])
	cmd := 32 + int(size)
	le.PutUint32(b[16:], ncmds+1)
	le.PutUint32(b[20:], size+16)
	le.PutUint32(b[cmd:], 0x1d)
	le.PutUint32(b[cmd+4:], 16)
	le.PutUint32(b[cmd+8:], uint32(end))
	const room = 8192
	le.PutUint32(b[cmd+12:], room)
	linkedit := bytes.Index(b, []byte("__LINKEDIT")) - 8
	length := uint64(end + room - 0x4000)
	le.PutUint64(b[linkedit+48:], length)
	le.PutUint64(b[linkedit+32:], (length+0x3fff)&^0x3fff)
	parts := map[uint32][]byte{2: {0xfa, 0xde, 0x0c, 0x01, 0, 0, 0, 12, 0, 0, 0, 0}}
	if change != nil {
		change(parts)
	}
	flags := uint32(2)
	if s != nil {
		flags = 0
	}
	if f, ok := parts[0xff]; ok { // for vectors
		flags = be.Uint32(f)
		delete(parts, 0xff)
	}
	dir := codeDirectory(b, end, flags, parts)
	order := [][2]any{{uint32(0), dir}}
	for _, slot := range []uint32{2, 5, 7, 9} {
		if parts[slot] != nil {
			order = append(order, [2]any{slot, parts[slot]})
		}
	}
	wrapper := []byte{0xfa, 0xde, 0x0b, 0x01, 0, 0, 0, 8}
	if s != nil {
		check(t, os.WriteFile(filepath.Join(s.dir, "directory"), dir, 0o600))
		run(t, s.dir, "openssl", "cms", "-sign", "-binary", "-nosmimecap", "-outform", "DER", "-md", "sha256", "-signer", s.cert, "-inkey", s.key, "-in", "directory", "-out", "cms")
		wrapper = append(wrapper, load(t, filepath.Join(s.dir, "cms"))...)
		be.PutUint32(wrapper[4:], uint32(len(wrapper)))
	}
	order = append(order, [2]any{uint32(0x10000), wrapper})
	super := be.AppendUint32(be.AppendUint32(be.AppendUint32(nil, 0xfade0cc0), 0), uint32(len(order)))
	at := 12 + 8*len(order)
	for _, o := range order {
		super = be.AppendUint32(be.AppendUint32(super, o[0].(uint32)), uint32(at))
		at += len(o[1].([]byte))
	}
	for _, o := range order {
		super = append(super, o[1].([]byte)...)
	}
	be.PutUint32(super[4:], uint32(len(super)))
	return append(append(b, super...), make([]byte, room-len(super))...)
}

func codeDirectory(b []byte, limit int, flags uint32, parts map[uint32][]byte) []byte {
	be := binary.BigEndian
	const ident, special = "org.example.tool\x00", 7
	pages := (limit + 4095) / 4096
	hashes := 88 + len(ident) + special*32
	d := make([]byte, 88)
	for i, v := range []uint32{0xfade0c02, uint32(hashes + pages*32), 0x20400, flags, uint32(hashes), 88, special, uint32(pages), uint32(limit)} {
		be.PutUint32(d[4*i:], v)
	}
	copy(d[36:], []byte{32, 2, 0, 12})
	be.PutUint64(d[72:], 0x4000)
	be.PutUint64(d[80:], 1)
	d = append(d, ident...)
	for slot := uint32(special); slot >= 1; slot-- {
		var sum [32]byte
		if parts[slot] != nil {
			sum = sha256.Sum256(parts[slot])
		}
		d = append(d, sum[:]...)
	}
	for at := 0; at < limit; at += 4096 {
		sum := sha256.Sum256(b[at:min(at+4096, limit)])
		d = append(d, sum[:]...)
	}
	return d
}

func TestMachO(t *testing.T) {
	t.Parallel()
	s := newSigner(t, true)
	plain := machoOf("the code")
	adHoc, signed := signMacho(t, plain, nil, nil), signMacho(t, plain, s, nil)
	for name, c := range map[string]struct {
		shipped, rebuilt []byte
		allow            string
	}{
		"ad hoc":                      {adHoc, plain, allow.MachOAdHoc},
		"signed":                      {signed, plain, allow.MachOSignature},
		"signed, the linker's before": {signed, adHoc, allow.MachOSignature},
		"fat":                         {fat(signed, adHoc), fat(plain, adHoc), allow.MachOSignature},
	} {
		t.Run(name, func(t *testing.T) {
			out := judge(t, c.shipped, c.rebuilt, s.keys, c.allow)
			if c.allow == allow.MachOSignature {
				accepted(t, out)
			} else if !out.Equivalent || len(out.Forgiven) != 1 || out.Layers[0].Forgiven == 0 {
				t.Fatalf("%v %q %+v", out.Equivalent, out.Reason, out.Forgiven)
			}
			everyByte(t, c.shipped, c.rebuilt, s.keys, 0, len(c.shipped), 173, nil, c.allow)
			other := allow.MachOAdHoc
			if c.allow == other {
				other = allow.MachOSignature
			}
			if out := judge(t, c.shipped, c.rebuilt, s.keys, other); out.Equivalent {
				t.Error("one kind was taken for the other")
			}
		})
	}
	every := judge(t, signed, machoOf("other code"), s.keys, allow.MachOSignature, allow.MachOAdHoc)
	if every.Equivalent {
		t.Error("another program was accepted")
	}
	machoVectors(t, s, plain)
}

func machoVectors(t *testing.T, s *signer, plain []byte) {
	be := binary.BigEndian
	blob := func(magic uint32, body string) []byte {
		return append(be.AppendUint32(be.AppendUint32(nil, magic), uint32(8+len(body))), body...)
	}
	for name, change := range map[string]func(map[uint32][]byte){
		"entitlements":             func(p map[uint32][]byte) { p[5] = blob(0xfade7171, "<plist/>") },
		"entitlements in DER":      func(p map[uint32][]byte) { p[7] = blob(0xfade7172, "0000") },
		"an unknown part":          func(p map[uint32][]byte) { p[9] = blob(0xfade9999, "payload") },
		"no requirements":          func(p map[uint32][]byte) { p[2] = blob(0xfade0c01, "\x00\x00\x00\x00payload!") },
		"a payload as requirement": func(p map[uint32][]byte) { p[2] = requirement("\x00\x00\x00\x02\x00\x00\x00\x07payload\x00more") },
		"a resource envelope":      func(p map[uint32][]byte) { p[3] = []byte("payload") },
		"unknown flags":            func(p map[uint32][]byte) { p[0xff] = []byte{0, 0, 1, 0} },
		"flags of nobody":          func(p map[uint32][]byte) { p[0xff] = []byte{0, 0, 0, 2} },
	} {
		shipped := signMacho(t, plain, s, change)
		if out := judge(t, shipped, plain, s.keys, allow.MachOSignature, allow.MachOAdHoc); out.Equivalent {
			t.Errorf("%s was accepted", name)
		}
		if name == "flags of nobody" { // which is what they are
			continue
		}
		if out := judge(t, signMacho(t, plain, nil, change), plain, s.keys, allow.MachOAdHoc); out.Equivalent {
			t.Errorf("%s was accepted where nobody signed", name)
		}
	}
	good := signMacho(t, plain, s, func(p map[uint32][]byte) { p[2] = requirement("\x00\x00\x00\x02\x00\x00\x00\x04tool") })
	accepted(t, judge(t, good, plain, s.keys, allow.MachOSignature))
	behind := bytes.Clone(good)
	behind[len(behind)-1] = 'x'
	if out := judge(t, behind, plain, s.keys, allow.MachOSignature); out.Equivalent {
		t.Error("a payload behind the signature was accepted")
	}
	entitled := func(p map[uint32][]byte) { p[5] = blob(0xfade7171, "<plist/>") }
	accepted(t, judge(t, signMacho(t, plain, s, entitled), signMacho(t, plain, nil, entitled), s.keys, allow.MachOSignature))
}

// requirement is a set of one requirement.
func requirement(expression string) []byte {
	be := binary.BigEndian
	one := append(be.AppendUint32(be.AppendUint32(be.AppendUint32(nil, 0xfade0c00), uint32(12+len(expression))), 1), expression...)
	set := be.AppendUint32(be.AppendUint32(be.AppendUint32(be.AppendUint32(be.AppendUint32(nil, 0xfade0c01), uint32(20+len(one))), 1), 3), 20)
	return append(set, one...)
}

func fat(slices ...[]byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint32([]byte{0xca, 0xfe, 0xba, 0xbe}, uint32(len(slices)))
	at := 0x4000
	for i, s := range slices {
		for _, v := range []uint32{0x01000007 + uint32(i)*5, 3, uint32(at), uint32(len(s)), 14} {
			b = be.AppendUint32(b, v)
		}
		at = (at + len(s) + 0x3fff) &^ 0x3fff
	}
	for _, s := range slices {
		b = append(b, make([]byte, -len(b)&0x3fff)...)
		b = append(b, s...)
	}
	return b
}

// TestE2EGoLinker reads the signature that Go's linker makes, and puts another one in its place.
func TestE2EGoLinker(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("builds a program for another system: GLASSBUILD_E2E=1 runs it")
	}
	s := newSigner(t, true)
	check(t, os.WriteFile(filepath.Join(s.dir, "main.go"), []byte("package main\n\nfunc main() { println(42) }\n"), 0o600))
	cmd := exec.Command("go", "build", "-trimpath", "-o", "tool", "main.go")
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shipped := load(t, filepath.Join(s.dir, "tool"))
	le := binary.LittleEndian
	plain, size := bytes.Clone(shipped), le.Uint32(shipped[20:]) // without the command and the signature
	cmdAt := 32 + int(size) - 16
	if le.Uint32(shipped[cmdAt:]) != 0x1d {
		t.Fatal("the linker did not sign, or not in the last command")
	}
	plain = plain[:le.Uint32(shipped[cmdAt+8:])]
	le.PutUint32(plain[16:], le.Uint32(plain[16:])-1)
	le.PutUint32(plain[20:], size-16)
	copy(plain[cmdAt:], make([]byte, 16))
	out := judge(t, shipped, plain, s.keys, allow.MachOAdHoc)
	if !out.Equivalent {
		t.Fatal(out.Reason)
	}
	everyByte(t, shipped, plain, s.keys, 0, len(shipped), 70001, nil, allow.MachOAdHoc)
}

const infoPlist = "<plist><dict><key>CFBundleIdentifier</key><string>org.example.tool</string></dict></plist>"

// withPlist gives a program the section that holds its Info.plist, at 0x2000.
func withPlist(b []byte) []byte {
	le := binary.LittleEndian
	section := make([]byte, 80)
	copy(section, "__info_plist")
	copy(section[16:], "__TEXT")
	le.PutUint64(section[32:], 0x100002000)
	le.PutUint64(section[40:], uint64(len(infoPlist)))
	le.PutUint32(section[48:], 0x2000)
	out := append(bytes.Clone(b[:32+72]), section...)
	out = append(out, b[32+72:32+144]...)
	out = append(out, b[32+144+80:]...)
	le.PutUint32(out[20:], 144+80)
	le.PutUint32(out[32+4:], 72+80)
	le.PutUint32(out[32+64:], 1)
	copy(out[0x2000:], infoPlist)
	return out
}

// TestMachOInfoPlist: a signature binds the Info.plist that lies in the program, and no other.
func TestMachOInfoPlist(t *testing.T) {
	t.Parallel()
	s := newSigner(t, false)
	plain := withPlist(machoOf("code"))
	bind := func(text string) func(map[uint32][]byte) {
		return func(parts map[uint32][]byte) { parts[1] = []byte(text) }
	}
	accepted(t, judge(t, signMacho(t, plain, s, bind(infoPlist)), plain, s.keys, allow.MachOSignature))
	accepted(t, judge(t, signMacho(t, plain, s, nil), plain, s.keys, allow.MachOSignature))
	if out := judge(t, signMacho(t, plain, s, bind("<plist>another</plist>")), plain, s.keys, allow.MachOSignature); out.Equivalent || !strings.Contains(out.Reason, "part 1") {
		t.Errorf("another Info.plist: %v %q", out.Equivalent, out.Reason)
	}
	if out := judge(t, signMacho(t, machoOf("code"), s, bind(infoPlist)), machoOf("code"), s.keys, allow.MachOSignature); out.Equivalent {
		t.Error("an Info.plist outside of the file was bound, and accepted")
	}
}
