package artifact

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"strings"
)

// format names the code or data format that a file's first bytes tell, "" when they tell none. Containers are named by
// internal/archive. Magic numbers: System V ABI (elf), PE/COFF specification, mach-o/loader.h and fat.h, WebAssembly
// core specification 5.5.16, JVM specification 4.1, CPython's importlib, Go's cmd/internal/archive, LLVM bitcode, DEX.
func format(head []byte) string {
	has := func(magic string) bool { return strings.HasPrefix(string(head[:min(len(head), 16)]), magic) }
	switch {
	case has("\x7fELF"):
		return "elf"
	case has("MZ"):
		if isPE(head) {
			return "pe"
		}
		return ""
	case has("\xfe\xed\xfa\xce"), has("\xfe\xed\xfa\xcf"), has("\xce\xfa\xed\xfe"), has("\xcf\xfa\xed\xfe"):
		return "macho"
	case has("\xca\xfe\xba\xbe") && len(head) >= 8:
		// A fat header counts its slices where a class file has its version, which is 45 or more.
		if binary.BigEndian.Uint32(head[4:]) < 45 {
			return "macho-fat"
		}
		return "java-class"
	case has("\xca\xfe\xba\xbf"):
		return "macho-fat"
	case has("\x00asm"):
		return "wasm"
	case has("dex\n"):
		return "dex"
	case has("BC\xc0\xde"):
		return "llvm-bitcode"
	case has("go object "):
		return "go-object"
	case strings.HasPrefix(string(head[:min(len(head), 24)]), "!<arch>\n__.PKGDEF"):
		return "go-archive"
	case has("#!"):
		return "script"
	case isPyc(head):
		return "pyc"
	}
	return imageFormat(has)
}

func imageFormat(has func(string) bool) string {
	for _, m := range []struct{ magic, name string }{
		{"\x89PNG\r\n\x1a\n", "png"}, {"\xff\xd8\xff", "jpeg"}, {"GIF87a", "gif"}, {"GIF89a", "gif"}, {"%PDF-", "pdf"},
		{"wOFF", "woff"}, {"wOF2", "woff2"}, {"OggS", "ogg"}, {"\x00\x00\x01\x00", "ico"}, {"SQLite format 3\x00", "sqlite"},
	} {
		if has(m.magic) {
			return m.name
		}
	}
	return ""
}

// isPE accepts a PE header in the head, or one that the DOS stub puts somewhere behind it. Text that begins with MZ has
// printable characters where the offset is, which makes it a large number.
func isPE(head []byte) bool {
	if len(head) < 64 {
		return false
	}
	at := binary.LittleEndian.Uint32(head[60:])
	if int64(at)+4 > int64(len(head)) {
		return at < maxStub
	}
	return string(head[at:at+4]) == "PE\x00\x00"
}

// isPyc accepts CPython's magic: a number of the 3.x range followed by CR LF, and the flags word of PEP 552.
func isPyc(head []byte) bool {
	if len(head) < 16 || head[2] != '\r' || head[3] != '\n' {
		return false
	}
	n := binary.LittleEndian.Uint16(head)
	return n >= 3000 && n < 3900 && binary.LittleEndian.Uint32(head[4:]) < 4
}

// relocatable tells whether the ELF header is that of an object file, which a kernel module also is.
func relocatable(head []byte) bool {
	if len(head) < 18 || string(head[:4]) != "\x7fELF" {
		return false
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	return order.Uint16(head[16:]) == uint16(elf.ET_REL)
}

// refine tells kernel modules from other ELF objects: they have a .modinfo section.
func (x *expander) refine(m *Member) {
	if m.Format != "elf" || m.at.packed != nil {
		return
	}
	sec := io.NewSectionReader(m.at.file, m.at.offset, m.Size)
	var head [18]byte
	if _, err := sec.ReadAt(head[:], 0); err != nil || !relocatable(head[:]) {
		return
	}
	f, err := elf.NewFile(sec)
	if err != nil {
		return
	}
	if f.Section(".modinfo") != nil {
		m.Format = "kernel-module"
	}
}

// ExecutableFormat tells whether a format that members carry is code: for a machine, a virtual machine or an
// interpreter that the file itself names.
func ExecutableFormat(format string) bool {
	switch format {
	case "elf", "pe", "macho", "macho-fat", "wasm", "java-class", "pyc", "dex", "llvm-bitcode", "go-object", "go-archive",
		"kernel-module", "script":
		return true
	}
	return false
}
