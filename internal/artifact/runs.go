package artifact

import (
	"encoding/binary"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// Runs says why a member would run, or decide what runs, on the machine of whoever installs or starts what was shipped: ""
// for data. within are the containers around it, the outermost first. Names count only where a package format gives them a
// meaning; everywhere else the bytes and the mode decide, so that no odd name hides a program.
//
// Formats: machine code and scripts by magic (format.go); any file with an execute bit; maintainer scripts and triggers of
// deb (Debian Policy 6), scriptlets of rpm, install scripts of Alpine packages (apk-v2), npm (package.json scripts and
// binding.gyp), wheels (.pth, which Python runs when it starts) and source packages of Python (setup.py), gems
// (extconf.rb), NuGet (tools/*.ps1), Arch packages (.INSTALL); containers that are not opened here (MSI and
// other OLE files, macOS packages, 7z, squashfs, …); resource forks in AppleDouble files and extended attributes.
func (a *Artifact) Runs(m *Member, within []*Member) string {
	if m.Type != File && m.Type != Hardlink {
		return ""
	}
	switch {
	case m.Format == "script":
		return "script"
	case m.Executable():
		return m.Format + " code"
	case m.Xattrs["com.apple.ResourceFork"] != "":
		return "resource fork"
	case m.Size == 0:
		return ""
	}
	if why := hookOf(m, within); why != "" {
		return why
	}
	if why := a.sealed(m, within); why != "" {
		return why
	}
	if m.Mode&0o111 != 0 && len(m.Members) == 0 {
		return "execute bit"
	}
	return ""
}

// hookOf tells the scripts that a package format runs by their names.
func hookOf(m *Member, within []*Member) string {
	outer, inner := around(within)
	base := path.Base(m.Name)
	switch {
	case outer == "deb" && strings.HasPrefix(inner, "control.tar") && slices.Contains(debScripts, base):
		return "maintainer script of a deb"
	case outer == "alpine" && inner == "control" && slices.Contains(alpineScripts, base):
		return "install script of an Alpine package"
	case base == ".INSTALL" && m.Name == base:
		return "install script of a package"
	case base == "binding.gyp":
		return "install script of npm"
	case base == "setup.py" && len(within) > 0:
		return "install script of Python"
	case strings.HasSuffix(base, ".pth"):
		return "start-up file of Python"
	case base == "extconf.rb" && inside(within, "gem"):
		return "install script of a gem"
	case inside(within, "nupkg") && strings.HasPrefix(strings.ToLower(m.Name), "tools/") && strings.HasSuffix(strings.ToLower(base), ".ps1"):
		return "install script of NuGet"
	}
	return ""
}

var (
	debScripts    = []string{"preinst", "postinst", "prerm", "postrm", "config", "triggers"}
	alpineScripts = []string{".pre-install", ".post-install", ".pre-upgrade", ".post-upgrade", ".pre-deinstall", ".post-deinstall", ".trigger"}
)

// around returns the format of the package that a member lies in and the name of its part: those of the last two containers.
func around(within []*Member) (outer, inner string) {
	if n := len(within); n >= 2 {
		return within[n-2].Format, within[n-1].Name
	}
	return "", ""
}

func inside(within []*Member, format string) bool {
	return slices.ContainsFunc(within, func(m *Member) bool { return m.Format == format })
}

// sealed looks into the few kinds of data that can hold a program without being one.
func (a *Artifact) sealed(m *Member, within []*Member) string {
	base := path.Base(m.Name)
	switch {
	case base == "package.json":
		if list := a.npmScripts(m); len(list) > 0 {
			return "npm " + strings.Join(list, ", ")
		}
		return ""
	case strings.HasPrefix(m.Name, "blobs/sha256/") && m.Format == "":
		return a.entryPoint(m)
	case len(within) > 0 && within[len(within)-1].Format == archive.FormatRPM && m.Name == "header":
		if list := a.rpmScripts(m); len(list) > 0 {
			return "rpm scriptlet " + strings.Join(list, ", ")
		}
		return ""
	}
	head, err := a.Head(m, archive.DetectBytes)
	if err != nil {
		return ""
	}
	if hasFork(head) {
		return "resource fork"
	}
	if kind := closed(head); kind != "" && len(m.Members) == 0 {
		return kind + ", which is not opened here"
	}
	return ""
}

// closed names containers that this program does not read: what lies in them could be anything.
func closed(head []byte) string {
	for _, k := range []struct {
		at          int
		magic, name string
	}{
		{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE file, as installers of Windows are"}, {0, "xar!", "xar archive, as packages of macOS are"},
		{0, "7z\xbc\xaf\x27\x1c", "7z archive"}, {0, "Rar!\x1a\x07", "rar archive"}, {0, "MSCF\x00\x00\x00\x00", "cabinet"}, {0, "LZIP", "lzip stream"}, {0, "\x1f\x9d", "compress stream"},
		{0, "hsqs", "squashfs"}, {0, "sqsh", "squashfs"}, {0, "\x45\x3d\xcd\x28", "cramfs"}, {1024, "\xe2\xe1\xf5\xe0", "erofs"}, {0, "UBI#", "UBI image"}, {0, "\x85\x19\x03\x20", "JFFS2"},
		{0, "QFI\xfb", "disk image (qcow2)"}, {0, "KDMV", "disk image (vmdk)"}, {0, "conectix", "disk image (vhd)"}, {0, "vhdxfile", "disk image (vhdx)"},
		{3, "NTFS    ", "NTFS"}, {3, "EXFAT   ", "exFAT"}, {54, "FAT", "FAT"}, {82, "FAT32", "FAT"}, {0, "XFSB", "XFS"}, {512, "EFI PART", "disk image with partitions"}, {510, "\x55\xaa", "disk image or boot code"},
	} {
		if len(head) >= k.at+len(k.magic) && string(head[k.at:k.at+len(k.magic)]) == k.magic {
			return k.name
		}
	}
	return ""
}

// hasFork tells whether an AppleSingle or AppleDouble file (RFC 1740, appendix A) has a resource fork: more than the 286
// bytes that an empty one takes.
func hasFork(head []byte) bool {
	if len(head) < 26 || string(head[:3]) != "\x00\x05\x16" || head[3] != 0 && head[3] != 7 {
		return false
	}
	n := int(binary.BigEndian.Uint16(head[24:]))
	for i := 0; i < n && 26+12*(i+1) <= len(head); i++ {
		e := head[26+12*i:]
		if binary.BigEndian.Uint32(e) == 2 && binary.BigEndian.Uint32(e[8:]) > 286 {
			return true
		}
	}
	return n > maxForkEntries
}

// npmScripts lists what npm runs when the package is installed (npm's documentation of scripts, "Life Cycle Operation
// Order"). A package.json that cannot be read might say anything.
func (a *Artifact) npmScripts(m *Member) []string {
	data, err := a.Head(m, maxPackageJSON+1)
	if err != nil || len(data) > maxPackageJSON {
		return []string{"package.json that cannot be read"}
	}
	var p struct {
		Scripts map[string]json.RawMessage `json:"scripts"`
		Gyp     bool                       `json:"gypfile"`
	}
	if json.Unmarshal(data, &p) != nil {
		return []string{"package.json that cannot be read"}
	}
	var list []string
	for _, name := range []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare", "preuninstall", "uninstall", "postuninstall"} {
		if _, ok := p.Scripts[name]; ok {
			list = append(list, name)
		}
	}
	if p.Gyp {
		list = append(list, "gypfile")
	}
	return list
}

// rpmTags are the tags of scripts in an RPM header (lib/rpmtag.h).
var rpmTags = map[uint32]string{
	1023: "%pre", 1024: "%post", 1025: "%preun", 1026: "%postun", 1065: "%trigger", 1079: "%verify", 1151: "%pretrans", 1152: "%posttrans",
	5066: "%filetrigger", 5076: "%transfiletrigger", 5104: "%preuntrans", 5105: "%postuntrans",
	1085: "%pre program", 1086: "%post program", 1087: "%preun program", 1088: "%postun program", 1091: "%verify program", 1153: "%pretrans program", 1154: "%posttrans program",
}

func (a *Artifact) rpmScripts(m *Member) []string {
	head, err := a.Head(m, 16+16*archive.MaxRPMIndex)
	if err != nil || len(head) < 16 {
		return []string{"unknown"}
	}
	n := min(int64(binary.BigEndian.Uint32(head[8:])), int64(len(head)-16)/16)
	var list []string
	for i := range n {
		if name := rpmTags[binary.BigEndian.Uint32(head[16+16*i:])]; name != "" {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// entryPoint tells an image configuration (OCI image specification, config.md) that says what runs when it is started.
func (a *Artifact) entryPoint(m *Member) string {
	data, err := a.Head(m, maxPackageJSON)
	if err != nil || len(data) == 0 || data[0] != '{' {
		return ""
	}
	var c struct {
		RootFS json.RawMessage `json:"rootfs"`
		Config struct {
			Entrypoint  json.RawMessage
			Cmd         json.RawMessage
			Healthcheck json.RawMessage
			OnBuild     json.RawMessage
		} `json:"config"`
	}
	if json.Unmarshal(data, &c) != nil || len(c.RootFS) == 0 {
		return ""
	}
	for _, said := range []json.RawMessage{c.Config.Entrypoint, c.Config.Cmd, c.Config.Healthcheck, c.Config.OnBuild} {
		if s := string(said); s != "" && s != "null" && s != "[]" {
			return "entry point of an image"
		}
	}
	return ""
}
