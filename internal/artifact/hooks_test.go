package artifact_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
)

// runs lists what would run in an artefact, and why.
func runs(t *testing.T, data []byte) map[string]string {
	t.Helper()
	a := open(t, data)
	for _, p := range a.Hostile {
		t.Fatal(p)
	}
	all := map[string]string{}
	var walk func(m *artifact.Member, within []*artifact.Member)
	walk = func(m *artifact.Member, within []*artifact.Member) {
		if why := a.Runs(m, within); why != "" {
			all[m.Path] = why
		}
		for _, c := range m.Members {
			walk(c, append(slices.Clip(within), m))
		}
	}
	walk(a.Root, nil)
	return all
}

func ar(files ...file) []byte {
	b := []byte("!<arch>\n")
	for _, f := range files {
		b = fmt.Appendf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", f.name, 0, 0, 0, "100644", len(f.body), f.body)
		b = append(b, make([]byte, len(f.body)&1)...)
	}
	return b
}

// rpm is a package whose header has one tag.
func rpm(t *testing.T, tag uint32) []byte {
	header := func(tags ...uint32) []byte {
		b := []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")
		b = binary.BigEndian.AppendUint32(b, uint32(len(tags)))
		b = binary.BigEndian.AppendUint32(b, 8)
		for _, tag := range tags {
			for _, v := range []uint32{tag, 6, 0, 1} {
				b = binary.BigEndian.AppendUint32(b, v)
			}
		}
		return append(b, "rm -rf\x00\x00"...)
	}
	lead := append([]byte("\xed\xab\xee\xdb\x03\x00"), make([]byte, 90)...)
	return slices.Concat(lead, header(), header(tag), gz(t, cpioEnd()))
}

func cpioEnd() []byte {
	b := fmt.Appendf(nil, "070701%s%s", strings.Repeat("0", 8*11), "0000000b00000000TRAILER!!!\x00")
	return append(b, make([]byte, -len(b)&3)...)
}

// imageOf is a layout whose configuration is this text.
func imageOf(t *testing.T, config string) []byte {
	l := layoutOf{}
	m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[]}`,
		descriptor("application/vnd.oci.image.config.v1+json", l.blob(config), config, ""))
	l.index(descriptor("application/vnd.oci.image.manifest.v1+json", l.blob(m), m, ""))
	return l.tar(t)
}

// TestHooks: for each package format what it runs is told, whatever else lies beside it, and data is not.
func TestHooks(t *testing.T) {
	t.Parallel()
	tgz := func(files ...file) []byte { return gz(t, tarball(t, files...)) }
	apk := func(f file) []byte {
		first := tarball(t, file{name: ".PKGINFO", body: "pkgname = x\n"}, f)
		return slices.Concat(gz(t, first[:len(first)-1024]), tgz(file{name: "usr/share/x", body: "data"}))
	}
	deb := func(name string) []byte {
		control := tgz(file{name: "./control", body: "Package: x\n"}, file{name: "./" + name, body: "echo"})
		return ar(file{name: "debian-binary", body: "2.0\n"}, file{name: "control.tar.gz", body: string(control)}, file{name: "data.tar.gz", body: string(tgz(file{name: "./usr/share/postinst", body: "data"}))})
	}
	npm := func(manifest string, files ...file) []byte {
		return tgz(append([]file{{name: "package/package.json", body: manifest}}, files...)...)
	}
	wheel := func(name string) []byte {
		return zipped(t, 8, file{name: "x-1.dist-info/WHEEL", body: "Wheel-Version: 1.0\n"}, file{name: name, body: "print"}, file{name: "x/data.txt", body: "data"})
	}
	gem := func(metadata string, files ...file) []byte {
		return tarball(t, file{name: "metadata.gz", body: string(gz(t, []byte(metadata)))}, file{name: "data.tar.gz", body: string(tgz(files...))})
	}
	nuget := func(name string) []byte {
		return zipped(t, 8, file{name: "x.nuspec", body: "<package/>"}, file{name: name, body: "data"}, file{name: "content/readme.txt", body: "data"})
	}
	const plain = `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}`
	long := append([]byte("x\xda"), make([]byte, 2046)...)
	copy(long[len(long)-512:], "koly")
	for name, c := range map[string]struct {
		data []byte
		want string // path: reason
	}{
		"deb postinst":             {deb("postinst"), "control.tar.gz/postinst: maintainer script of a deb"},
		"deb triggers":             {deb("triggers"), "control.tar.gz/triggers: maintainer script of a deb"},
		"deb config":               {deb("config"), "control.tar.gz/config: maintainer script of a deb"},
		"deb list of files":        {deb("md5sums"), ""},
		"rpm %post":                {rpm(t, 1024), "header: rpm scriptlet %post"},
		"rpm %pretrans":            {rpm(t, 1151), "header: rpm scriptlet %pretrans"},
		"rpm %trigger":             {rpm(t, 1065), "header: rpm scriptlet %trigger"},
		"rpm program of %pre":      {rpm(t, 1085), "header: rpm scriptlet %pre program"},
		"rpm without":              {rpm(t, 1000), ""},
		"Alpine":                   {apk(file{name: ".post-install", body: "echo"}), "control/.post-install: install script of an Alpine package"},
		"Alpine in one part":       {tgz(file{name: ".post-install", body: "echo"}, file{name: ".PKGINFO", body: "x"}), ".post-install: install script of an Alpine package"},
		"Alpine version 3":         {[]byte("ADB.schema and more"), ": Alpine package of version 3, which is not opened here"},
		"Arch":                     {tgz(file{name: ".PKGINFO", body: "pkgname = x"}, file{name: ".INSTALL", body: "post_install() { :; }"}), ".INSTALL: install script of a package"},
		"npm postinstall":          {npm(`{"scripts":{"postinstall":"node x"}}`), "package/package.json: npm postinstall"},
		"npm binding":              {npm(`{}`, file{name: "package/binding.gyp", body: "{}"}), "package/binding.gyp: install script of npm"},
		"npm unreadable":           {npm(`{"scripts":`), "package/package.json: npm package.json that cannot be read"},
		"npm bin":                  {npm(`{"bin":{"x":"./lib/x"}}`, file{name: "package/lib/x", body: "echo"}, file{name: "package/lib/y", body: "data"}), "package/lib/x: bin of an npm package"},
		"npm one bin":              {npm(`{"bin":"x"}`, file{name: "package/x", body: "echo"}), "package/x: bin of an npm package"},
		"npm folder of bins":       {npm(`{"directories":{"bin":"tools"}}`, file{name: "package/tools/x", body: "echo"}), "package/tools/x: bin of an npm package"},
		"npm without":              {npm(`{"scripts":{"test":"x"}}`, file{name: "package/README", body: "data"}), ""},
		"Python source package":    {tgz(file{name: "x-1/setup.py", body: "print"}), "x-1/setup.py: install script of Python"},
		"Python start-up":          {wheel("x.pth"), "x.pth: start-up file of Python"},
		"Python site":              {wheel("sitecustomize.py"), "sitecustomize.py: start-up file of Python"},
		"Python entry points":      {wheel("x-1.dist-info/entry_points.txt"), "x-1.dist-info/entry_points.txt: entry points of Python"},
		"Python scripts":           {wheel("x-1.data/scripts/x"), "x-1.data/scripts/x: script of a wheel"},
		"Python module":            {wheel("x/__init__.py"), "x/__init__.py: source code of Python"},
		"gem extension":            {gem("name: x\nextensions: []\n", file{name: "ext/extconf.rb", body: "x"}), "data.tar.gz/ext/extconf.rb: install script of a gem"},
		"gem extensions by name":   {gem("name: x\nextensions:\n- ext/Rakefile\n"), "metadata.gz/content: gem with extensions that are built when it is installed"},
		"gem plug-in":              {gem("name: x\n", file{name: "lib/rubygems_plugin.rb", body: "x"}), "data.tar.gz/lib/rubygems_plugin.rb: plug-in of RubyGems"},
		"gem without":              {gem("name: x\nextensions: []\n", file{name: "LICENSE", body: "x"}), ""},
		"NuGet script":             {nuget("tools/Install.PS1"), "tools/Install.PS1: install or build script of NuGet"},
		"NuGet targets":            {nuget("build/x.targets"), "build/x.targets: install or build script of NuGet"},
		"image entry point":        {imageOf(t, plain+`,"config":{"Entrypoint":["/bin/x"]}}`), "entry point of an image"},
		"image command":            {imageOf(t, "\n "+plain+`,"config":{"Cmd":["x"]}}`), "entry point of an image"},
		"image health check":       {imageOf(t, plain+`,"config":{"Healthcheck":{"Test":["CMD","x"]}}}`), "entry point of an image"},
		"image without":            {imageOf(t, plain+`,"config":{}}`), ""},
		"docker save":              {tarball(t, file{name: "manifest.json", body: "[]"}, file{name: "abc.json", body: plain + `,"config":{"Cmd":["x"]}}`}), "abc.json: entry point of an image"},
		"image of macOS":           {long, ": disk image of macOS, which is not opened here"},
		"installer of Windows":     {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1and so on"), ": OLE file, as installers of Windows are, which is not opened here"},
		"package of macOS":         {[]byte("xar!\x00\x1c\x00\x01"), ": xar archive, as packages of macOS are, which is not opened here"},
		"execute bit":              {tgz(file{name: "x", body: "data", mode: 0o700}), "x: execute bit"},
		"shebang":                  {tgz(file{name: "x.png", body: "#!/bin/sh\n"}), "x.png: script"},
		"machine code":             {tgz(file{name: "x.txt", body: "\x7fELF\x02\x01\x01"}), "x.txt: elf code"},
		"script of Windows":        {zipped(t, 0, file{name: "setup.CMD", body: "x"}), "setup.CMD: script of Windows"},
		"resource fork":            {tgz(file{name: "._x", body: string(bytes.Join([][]byte{[]byte("\x00\x05\x16\x07\x00\x02\x00\x00"), make([]byte, 16), []byte("\x00\x01\x00\x00\x00\x02\x00\x00\x00\x26\x00\x00\x02\x00")}, nil))}), "._x: resource fork"},
		"data under its own names": {tgz(file{name: "postinst", body: "x"}, file{name: "a/.INSTALL", body: "x"}, file{name: "tools/x.txt", body: "x"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runs(t, c.data)
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("got %q, want nothing", got)
			case c.want != "" && (len(got) != 1 || !strings.HasSuffix(fmt.Sprintf("%s: %s", slices.Collect(maps.Keys(got))[0], slices.Collect(maps.Values(got))[0]), c.want)):
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
