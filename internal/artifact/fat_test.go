package artifact_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
)

// fatOf puts programs for two processors into one file, aligned, with something between them.
func fatOf(between string) []byte {
	slice := "\xcf\xfa\xed\xfe and the rest"
	b := binary.BigEndian.AppendUint32([]byte{0xca, 0xfe, 0xba, 0xbe}, 2)
	for _, v := range []uint32{0x01000007, 3, 64, uint32(len(slice)), 6, 0x0100000c, 0, 128, uint32(len(slice)), 6} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(append(b, make([]byte, 64-len(b))...), slice...)
	b = append(b, between...)
	return append(append(b, make([]byte, 128-len(b))...), slice...)
}

func TestFatSlices(t *testing.T) {
	t.Parallel()
	for between, regions := range map[string]int{"": 0, "payload": 1} {
		a := open(t, gz(t, tarball(t, file{name: "bin/tool", body: string(fatOf(between))})))
		m, err := a.Find("bin/tool")
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Members) != 2 || m.Members[0].Path != "bin/tool/x86_64" || m.Members[1].Path != "bin/tool/arm64" || m.Members[1].Format != "macho" || len(m.Regions) != regions {
			t.Fatalf("%+v %v", m.Members, m.Regions)
		}
		c, err := a.Content(m.Members[1])
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 4)
		if c.ReadAt(head, 0); string(head) != "\xcf\xfa\xed\xfe" {
			t.Errorf("content %q", head)
		}
	}
	lying := bytes.Clone(fatOf(""))
	binary.BigEndian.PutUint32(lying[20:], 1<<30)
	for name, b := range map[string][]byte{"a size beyond the end": lying, "a class file": []byte("\xca\xfe\xba\xbe\x00\x00\x00\x34 and the rest of it")} {
		if a := open(t, b); len(a.Root.Members) > 0 || len(a.Hostile) > 0 {
			t.Errorf("%s: %v %v", name, a.Root.Members, a.Hostile)
		}
	}
}

// TestAlpineWithoutSignature reads a package as it is before it is signed: control and data, each a gzip member.
func TestAlpineWithoutSignature(t *testing.T) {
	t.Parallel()
	control := gz(t, tarball(t, file{name: ".PKGINFO", body: "pkgname = a\n"}))
	a := open(t, append(bytes.Clone(control), gz(t, tarball(t, file{name: "usr/bin/a", body: "x"}))...))
	var paths []string
	_ = a.Walk(func(m *artifact.Member) error { paths = append(paths, m.Path); return nil })
	if got := strings.Join(paths, " "); got != " control control/.PKGINFO data data/usr/bin/a" || a.Root.Format != "alpine" {
		t.Errorf("%s %q", a.Root.Format, got)
	}
	// one gzip member that begins so is an ordinary archive
	if a := open(t, control); a.Root.Format != "tar+gzip" || len(a.Hostile) > 0 {
		t.Errorf("%s %v", a.Root.Format, a.Hostile)
	}
	third := append(append(bytes.Clone(control), control...), control...)
	if a := open(t, third); len(a.Hostile) != 1 || !strings.Contains(a.Hostile[0].Error(), "trailing data") {
		t.Errorf("%v", a.Hostile)
	}
}

func TestKindsOfArchives(t *testing.T) {
	t.Parallel()
	f := func(names ...string) (list []file) {
		for _, n := range names {
			list = append(list, file{name: n, body: "x"})
		}
		return list
	}
	for want, data := range map[string][]byte{
		"jar":   zipped(t, zip.Store, f("META-INF/MANIFEST.MF", "a/B.class")...),
		"war":   zipped(t, zip.Store, f("META-INF/MANIFEST.MF", "WEB-INF/web.xml")...),
		"whl":   zipped(t, zip.Store, f("a/__init__.py", "a-1.dist-info/WHEEL")...),
		"apk":   zipped(t, zip.Store, f("META-INF/MANIFEST.MF", "AndroidManifest.xml")...),
		"aab":   zipped(t, zip.Store, f("BundleConfig.pb", "base/manifest/AndroidManifest.xml")...),
		"nupkg": zipped(t, zip.Store, f("a.nuspec", "lib/a.dll")...),
		"gem":   tarball(t, f("metadata.gz", "data.tar.gz", "checksums.yaml.gz")...),
		"zip":   zipped(t, zip.Store, f("example.org/m@v1.0.0/go.mod")...),
		"tar":   tarball(t, f("a")...),
	} {
		if a := open(t, data); a.Root.Format != want {
			t.Errorf("%s, want %s", a.Root.Format, want)
		}
	}
}
