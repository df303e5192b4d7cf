package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// entry is one line of a description of an archive: TYPE NAME [TEXT [MODE]], each word perhaps a quoted Go string.
type entry struct {
	kind, name, text string
	mode             int64
}

func entries(ts *testscript.TestScript, file string) []entry {
	var list []entry
	for line := range strings.Lines(ts.ReadFile(file)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		e := entry{mode: 0o644}
		for i := 0; line != "" && i < 4; i++ {
			var word string
			if line[0] == '"' {
				q, err := strconv.QuotedPrefix(line)
				ts.Check(err)
				word, err = strconv.Unquote(q)
				ts.Check(err)
				line = line[len(q):]
			} else {
				word, line, _ = strings.Cut(line, " ")
			}
			line = strings.TrimLeft(line, " ")
			switch i {
			case 0:
				e.kind = word
			case 1:
				e.name = word
			case 2:
				e.text = word
			case 3:
				m, err := strconv.ParseInt(word, 8, 64)
				ts.Check(err)
				e.mode = m
			}
		}
		list = append(list, e)
	}
	return list
}

var tarTypes = map[string]byte{"file": tar.TypeReg, "dir": tar.TypeDir, "symlink": tar.TypeSymlink, "link": tar.TypeLink, "fifo": tar.TypeFifo,
	"char": tar.TypeChar, "block": tar.TypeBlock}

// makeTar is "mktar OUT DESCRIPTION": a tar file, compressed where OUT ends with .gz.
func makeTar(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mktar OUT DESCRIPTION")
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries(ts, args[1]) {
		h := &tar.Header{Typeflag: tarTypes[e.kind], Name: e.name, Mode: e.mode, Format: tar.FormatPAX}
		switch e.kind {
		case "file":
			h.Size = int64(len(e.text))
		case "symlink", "link":
			h.Linkname = e.text
		case "capability":
			h.Typeflag, h.PAXRecords = tar.TypeReg, map[string]string{"SCHILY.xattr.security.capability": e.text}
		}
		ts.Check(w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write([]byte(e.text))
			ts.Check(err)
		}
	}
	ts.Check(w.Close())
	data := buf.Bytes()
	if filepath.Ext(args[0]) == ".gz" {
		var z bytes.Buffer
		c := gzip.NewWriter(&z)
		_, err := c.Write(data)
		ts.Check(err)
		ts.Check(c.Close())
		data = z.Bytes()
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o666))
}

// makeZip is "mkzip OUT DESCRIPTION [lie]": a stored zip file; with lie the first local header has another name than
// the central directory.
func makeZip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mkzip OUT DESCRIPTION [lie]")
	}
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, e := range entries(ts, args[1]) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		ts.Check(err)
		_, err = f.Write([]byte(e.text))
		ts.Check(err)
	}
	ts.Check(w.Close())
	data := buf.Bytes()
	if len(args) == 3 {
		if binary.LittleEndian.Uint32(data) != 0x04034b50 {
			ts.Fatalf("no local header first")
		}
		data[30] ^= 1 // the first byte of the name
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o666))
}

// signModule is "signmodule FILE KEY CERTIFICATE OUT": FILE with a signature behind it, as the kernel's sign-file makes it.
func signModule(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: signmodule FILE KEY CERTIFICATE OUT")
	}
	out := ts.MkAbs(args[3])
	ts.Check(ts.Exec("openssl", "cms", "-sign", "-binary", "-noattr", "-nocerts", "-outform", "DER", "-md", "sha512",
		"-signer", args[2], "-inkey", args[1], "-in", args[0], "-out", args[3]))
	sig, err := os.ReadFile(out)
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	data = append(append(data, sig...), 0, 0, 2, 0, 0, 0, 0, 0)
	data = binary.BigEndian.AppendUint32(data, uint32(len(sig)))
	ts.Check(os.WriteFile(out, append(data, "~Module signature appended~\n"...), 0o600))
}
