package gobinary

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// The go command frames the build info text with these sixteen bytes (cmd/go/internal/modload).
var (
	modInfoStart = []byte("\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6")
	modInfoEnd   = []byte("\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2")
)

// lookWasm reads a WebAssembly module (core specification, chapter 5.5). The linker writes the Go version into the custom
// section "producers", the build id into "go:buildid" and, without -s, symbols into "name"; it never writes DWARF.
func lookWasm(r io.ReaderAt, size int64, info *Info) (*debug.BuildInfo, error) {
	malformed := func(reason string) error { return fault.Failf("executable", "malformed wasm file: %s", reason) }
	var bi *debug.BuildInfo
	off := int64(8)
	for range maxWasmSections {
		if off >= size {
			break
		}
		head := make([]byte, min(size-off, 1+binary.MaxVarintLen32))
		if _, err := r.ReadAt(head, off); err != nil && err != io.EOF {
			return nil, err
		}
		length, n := binary.Uvarint(head[1:])
		if n <= 0 || int64(n)+1+off > size || length > uint64(size-off-1-int64(n)) {
			return nil, malformed("section beyond the end of the file")
		}
		off += 1 + int64(n)
		section := io.NewSectionReader(r, off, int64(length))
		var err error
		switch head[0] {
		case 0:
			err = customSection(section, info)
		case 11:
			if bi, err = findModInfo(section); err == nil {
				info.Paths, err = lookPaths(section, section.Size())
			}
		}
		if err != nil {
			return nil, err
		}
		off += int64(length)
	}
	if off < size {
		return nil, malformed(fmt.Sprintf("more than %d sections", maxWasmSections))
	}
	if bi == nil || info.Go == "" {
		return nil, ErrNoBuildInfo
	}
	bi.GoVersion = info.Go
	return bi, nil
}

func customSection(s *io.SectionReader, info *Info) error {
	buf := make([]byte, min(s.Size(), maxNote))
	if _, err := s.ReadAt(buf, 0); err != nil && err != io.EOF {
		return err
	}
	name, rest, ok := wasmName(buf)
	if !ok {
		return nil // not ours to judge: another producer's section
	}
	switch name {
	case "name":
		info.Symbols = true
	case "go:buildid", "go.buildid": // with a dot before Go 1.20
		// \xff Go build ID: "…"\n \xff, framed as in text sections.
		info.BuildID = textBuildID(bytes.NewReader(rest), int64(len(rest)))
	case "producers":
		info.Go = producersGo(rest)
	}
	return nil
}

// producersGo returns the version of the language "Go" (tool conventions, ProducersSection.md).
func producersGo(b []byte) string {
	fields, n := binary.Uvarint(b)
	if n <= 0 || fields > 16 {
		return ""
	}
	b = b[n:]
	for range fields {
		field, rest, ok := wasmName(b)
		values, n := binary.Uvarint(rest)
		if !ok || n <= 0 || values > 64 {
			return ""
		}
		b = rest[n:]
		for range values {
			name, rest, ok1 := wasmName(b)
			version, rest, ok2 := wasmName(rest)
			if !ok1 || !ok2 {
				return ""
			}
			if b = rest; field == "language" && name == "Go" {
				return version
			}
		}
	}
	return ""
}

// wasmName reads a length and that many bytes.
func wasmName(b []byte) (name string, rest []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return "", nil, false
	}
	b = b[n:]
	return string(b[:length]), b[length:], true
}

// findModInfo searches a data section for the framed build info text.
func findModInfo(s *io.SectionReader) (*debug.BuildInfo, error) {
	const chunk = 1 << 20
	buf := make([]byte, chunk+len(modInfoStart))
	for off := int64(0); off < s.Size(); off += chunk {
		n, err := s.ReadAt(buf, off)
		if err != nil && err != io.EOF {
			return nil, err
		}
		at := bytes.Index(buf[:n], modInfoStart)
		if at < 0 {
			continue
		}
		text := make([]byte, min(maxModInfo, s.Size()-off-int64(at)))
		if n, err = s.ReadAt(text, off+int64(at)); err != nil && err != io.EOF {
			return nil, err
		}
		end := bytes.Index(text[:n], modInfoEnd)
		if end < 0 {
			continue
		}
		bi, err := debug.ParseBuildInfo(string(text[len(modInfoStart):end]))
		if err != nil {
			return nil, ErrNoBuildInfo
		}
		return bi, nil
	}
	return nil, nil
}
