package artifact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"go/build"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/glassbuild/glassbuild/internal/artifact"
)

func classify(t testing.TB, b []byte) artifact.Class {
	t.Helper()
	c, err := artifact.Classify(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClassify(t *testing.T) {
	t.Parallel()
	random := make([]byte, 8000)
	rand.New(rand.NewSource(4)).Read(random)
	var wide []byte
	for _, u := range utf16.Encode([]rune("Größe und mehr Text\r\n")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	words := strings.Repeat("the quick brown fox jumps over the lazy dog\n", 40000)
	for name, c := range map[string]struct {
		data []byte
		want artifact.Class
	}{
		"empty":             {nil, artifact.Text},
		"go":                {[]byte("package main\n\nfunc main() {}\n"), artifact.Text},
		"script":            {[]byte("#!/bin/sh\necho hello\n"), artifact.Text},
		"utf-8":             {[]byte("Grüße, 世界\n"), artifact.Text},
		"utf-16":            {append([]byte{0xff, 0xfe}, wide...), artifact.Text},
		"latin-1":           {[]byte("Copyright \xa9 1999 M\xfcller, all rights reserved; a longer line of text follows here\n"), artifact.Text},
		"large text":        {[]byte(words), artifact.Text},
		"text, then blob":   {append([]byte(words), make([]byte, 400000)...), artifact.Data},
		"one word":          {bytes.Repeat([]byte("a"), 9000), artifact.Text},
		"random":            {random, artifact.Data},
		"base64 in source":  {[]byte("package p\n\nconst x = \"" + base64.StdEncoding.EncodeToString(random) + "\"\n"), artifact.Encoded},
		"base64 in lines":   {[]byte("-----BEGIN X-----\n" + wrap(base64.StdEncoding.EncodeToString(random)) + " \n"), artifact.Encoded},
		"hexadecimal":       {[]byte("x = " + hex.EncodeToString(random)), artifact.Encoded},
		"elf":               {append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 60)...), artifact.MachineCode},
		"wasm":              {[]byte("\x00asm\x01\x00\x00\x00"), artifact.MachineCode},
		"go archive":        {[]byte("!<arch>\n__.PKGDEF       0           0     0     644     0         `\n"), artifact.MachineCode},
		"class":             {[]byte("\xca\xfe\xba\xbe\x00\x00\x00\x37"), artifact.CompiledClass},
		"fat mach-o":        {[]byte("\xca\xfe\xba\xbe\x00\x00\x00\x02"), artifact.MachineCode},
		"png":               {[]byte("\x89PNG\r\n\x1a\n\x00\x00"), artifact.Image},
		"gzip":              {gz(t, []byte("x")), artifact.Archive},
		"text that says MZ": {[]byte("MZ is how programs for DOS begin, and this text begins so too, but it is none of them.\n"), artifact.Text},
	} {
		if got := classify(t, c.data); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if !artifact.Class("").Opaque() {
		t.Error("the zero value can be read")
	}
}

func wrap(s string) string {
	var b strings.Builder
	for c := range slices.Chunk([]byte(s), 64) {
		b.Write(c)
		b.WriteByte('\n')
	}
	return b.String()
}

// TestClassifyOnLabelledFiles measures the rule on the Go distribution that runs the test, labelled by extension.
func TestClassifyOnLabelledFiles(t *testing.T) {
	t.Parallel()
	text := strings.Fields(".go .s .c .h .md .txt .json .html .js .css .sh .bash .py .y .mod .sum .pl .bat .tmpl .ps1 .work")
	opaque := strings.Fields(".png .gif .jpeg .jpg .gz .bz2 .zip .zst .xz .elf .exe .obj .o .a .wasm .syso .ico .pdf .class .macho .7z .db")
	hit, missed, quiet, alarm := 0, 0, 0, 0
	var wrong []string
	roots := strings.Fields("src/archive src/compress src/debug src/image src/encoding src/fmt src/net src/crypto/internal src/runtime src/cmd/compile lib")
	for _, dir := range roots {
		filepath.WalkDir(filepath.Join(build.Default.GOROOT, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			ext := filepath.Ext(p)
			isText, isOpaque := slices.Contains(text, ext), slices.Contains(opaque, ext)
			if !isText && !isOpaque {
				return nil
			}
			b, err := os.ReadFile(p)
			if err != nil || len(b) == 0 {
				return nil
			}
			switch got := classify(t, b).Opaque(); {
			case isOpaque && got:
				hit++
			case isOpaque:
				missed++
				wrong = append(wrong, p)
			case got:
				alarm++
				wrong = append(wrong, p)
			default:
				quiet++
			}
			return nil
		})
	}
	t.Logf("opaque: %d recognised, %d missed; text: %d quiet, %d false alarms; wrong: %q", hit, missed, quiet, alarm, wrong)
	if hit+missed == 0 || quiet == 0 {
		t.Skip("the Go distribution has no source tree here")
	}
	if hit*100 < (hit+missed)*95 || alarm*100 > (quiet+alarm)*2 {
		t.Errorf("recall %d of %d, false alarms %d of %d", hit, hit+missed, alarm, quiet+alarm)
	}
}
