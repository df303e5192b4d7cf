package artifact

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// hookOf tells the scripts that a package format runs by their names.
func hookOf(m *Member, within []*Member) string {
	outer, inner := around(within)
	base := path.Base(m.Name)
	switch {
	case outer == "deb" && strings.HasPrefix(inner, "control.tar") && slices.Contains(debScripts, base):
		return "maintainer script of a deb"
	case outer == "alpine" && inner == "control" && slices.Contains(alpineScripts, base), slices.Contains(alpineScripts, m.Name) && len(within) > 0:
		return "install script of an Alpine package"
	case base == ".INSTALL" && m.Name == base:
		return "install script of a package"
	case base == "binding.gyp":
		return "install script of npm"
	case base == "setup.py" && len(within) > 0:
		return "install script of Python"
	case strings.HasSuffix(base, ".pth"), base == "sitecustomize.py", base == "usercustomize.py":
		return "start-up file of Python"
	case base == "entry_points.txt" && strings.HasSuffix(path.Dir(m.Name), ".dist-info"):
		return "entry points of Python"
	case inside(within, "whl") && strings.Contains(path.Dir(m.Name)+"/", ".data/scripts/"):
		return "script of a wheel"
	case base == "extconf.rb" && inGem(within):
		return "install script of a gem"
	case base == "rubygems_plugin.rb" && inGem(within):
		return "plug-in of RubyGems"
	case inside(within, "nupkg") && slices.Contains([]string{".ps1", ".psm1", ".targets", ".props"}, strings.ToLower(path.Ext(base))):
		return "install or build script of NuGet"
	case strings.EqualFold(m.Name, "autorun.inf") && len(within) > 0:
		return "autorun file"
	}
	return interpreted[strings.ToLower(path.Ext(base))]
}

// interpreted are the extensions by which interpreters and shells take a file for a program of theirs. An extension only adds
// what runs: nothing is data because of its name.
var interpreted = map[string]string{
	".py": "source code of Python", ".pyw": "source code of Python", ".js": "source code of JavaScript", ".mjs": "source code of JavaScript", ".cjs": "source code of JavaScript",
	".rb": "source code of Ruby", ".pl": "source code of Perl", ".pm": "source code of Perl", ".php": "source code of PHP", ".lua": "source code of Lua", ".tcl": "source code of Tcl",
	".sh": "script of a shell", ".bash": "script of a shell", ".zsh": "script of a shell", ".fish": "script of a shell", ".bat": "script of Windows", ".cmd": "script of Windows",
	".ps1": "script of PowerShell", ".psm1": "script of PowerShell", ".vbs": "script of Windows", ".vbe": "script of Windows", ".jse": "script of Windows", ".wsf": "script of Windows",
	".hta": "script of Windows",
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

func inGem(within []*Member) bool { return inside(within, "gem") }

// besideManifest tells whether a member lies beside what describes an image, as in an archive of docker save.
func besideManifest(m *Member, within []*Member) bool {
	return len(within) > 0 && path.Dir(m.Name) == "." && m.Name != "manifest.json" && m.Name != "index.json" && has(within[len(within)-1].Members, "manifest.json")
}

func inside(within []*Member, format string) bool {
	return slices.ContainsFunc(within, func(m *Member) bool { return m.Format == format })
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
	data, err := a.Head(m, maxPackageJSON+1)
	data = bytes.TrimLeft(data, " \t\r\n")
	switch {
	case err != nil || len(data) == 0 || data[0] != '{':
		return ""
	case m.Size > maxPackageJSON:
		return "JSON of an image that is too large to be read"
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

// npmBin tells whether the package.json beside names a member in bin: npm makes it executable and links to it.
func (a *Artifact) npmBin(m *Member, within []*Member) bool {
	top, _, ok := strings.Cut(m.Name, "/")
	if !ok || len(within) == 0 || m.Name == top+"/package.json" {
		return false
	}
	outer := within[len(within)-1]
	a.mu.Lock()
	bins, known := a.bins[outer]
	a.mu.Unlock()
	if !known {
		bins = a.npmBins(outer)
		a.mu.Lock()
		if a.bins == nil {
			a.bins = map[*Member]map[string]bool{}
		}
		a.bins[outer] = bins
		a.mu.Unlock()
	}
	return bins[m.Name]
}

// npmBins lists what the package.json in the only top folder of a package names, also by a folder.
func (a *Artifact) npmBins(outer *Member) map[string]bool {
	bins := map[string]bool{}
	for _, m := range outer.Members {
		top, ok := strings.CutSuffix(m.Name, "/package.json")
		if !ok || strings.Contains(top, "/") || m.Size > maxPackageJSON {
			continue
		}
		data, err := a.Head(m, m.Size)
		var p struct {
			Bin         json.RawMessage `json:"bin"`
			Directories struct{ Bin string }
		}
		if err != nil || json.Unmarshal(data, &p) != nil {
			continue
		}
		var one string
		var list map[string]string
		if json.Unmarshal(p.Bin, &one) == nil {
			list = map[string]string{"": one}
		} else if json.Unmarshal(p.Bin, &list) != nil {
			list = nil
		}
		for _, file := range list {
			bins[path.Join(top, file)] = true
		}
		if d := p.Directories.Bin; d != "" {
			for _, c := range outer.Members {
				bins[c.Name] = bins[c.Name] || strings.HasPrefix(c.Name, path.Join(top, d)+"/")
			}
		}
	}
	return bins
}

// gemExtensions tells a gem whose specification names programs that build extensions when it is installed.
func (a *Artifact) gemExtensions(m *Member) string {
	data, err := a.Head(m, maxPackageJSON+1)
	if err != nil || len(data) > maxPackageJSON {
		return "specification of a gem that cannot be read"
	}
	for line := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if ok && strings.Trim(key, "\"' ") == "extensions" && strings.TrimSpace(value) != "[]" {
			return "gem with extensions that are built when it is installed"
		}
	}
	return ""
}

// macDisk tells a disk image of macOS by the block at its end. What would have to be expanded for that is looked at where its
// name says that it is one.
func (a *Artifact) macDisk(m *Member) bool {
	if m.Size < 512 || m.at.packed != nil && !slices.Contains([]string{".dmg", ".img", ".smi"}, strings.ToLower(path.Ext(m.Name))) {
		return false
	}
	c, err := a.Content(m)
	if err != nil {
		return false
	}
	defer c.Close()
	var tail [4]byte
	_, err = c.ReadAt(tail[:], m.Size-512)
	return err == nil && string(tail[:]) == "koly"
}
