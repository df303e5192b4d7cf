package builder

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// hostPath finds programs of the host, also those of a Go installation in its usual place.
const hostPath = "/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// topFolders are the folders beside /usr that hold programs and libraries: links into /usr where that is merged
// (https://www.freedesktop.org/wiki/Software/systemd/TheCaseForTheUsrMerge/), folders of their own elsewhere.
var topFolders = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// addHost lays this machine's own programs. They are not pinned and nobody vouches for them: a root with them is never
// the ground of a passed verdict unless the policy says so.
func addHost(root *Root, platform string) error {
	if own := runtime.GOOS + "/" + runtime.GOARCH; platform != own || runtime.GOOS != "linux" {
		return fault.Inconclusivef("builder host", "this machine is %s, not %s", own, fault.Quote(platform)).WithCheck(CheckAvailable)
	}
	return addHostFrom(root, "/")
}

func addHostFrom(root *Root, base string) error {
	layer := Layer{Name: "host", Version: osRelease(filepath.Join(base, "etc/os-release")), Dir: filepath.Join(base, "usr"), Target: "/usr"}
	if st, err := os.Stat(layer.Dir); err != nil || !st.IsDir() {
		return fault.Inconclusivef("builder host", "this machine has no /usr").WithCheck(CheckAvailable)
	}
	var err error
	if layer.Packages, err = debianInventory(filepath.Join(base, "var/lib/dpkg/status")); err != nil {
		return err
	}
	root.Layers = append(root.Layers, layer)
	for _, name := range topFolders {
		if err := addTop(root, base, name); err != nil {
			return err
		}
	}
	// Many names in /usr/bin are links through /etc/alternatives.
	if st, err := os.Stat(filepath.Join(base, "etc/alternatives")); err == nil && st.IsDir() {
		root.Layers = append(root.Layers, Layer{Name: "host alternatives", Dir: filepath.Join(base, "etc/alternatives"), Target: "/etc/alternatives"})
	}
	if cache, err := readBounded(filepath.Join(base, "etc/ld.so.cache"), maxManifest); err == nil {
		root.Files = append(root.Files, File{Path: "/etc/ld.so.cache", Mode: 0o444, Data: cache})
	}
	root.Env["PATH"] = hostPath
	return nil
}

// addTop shows /bin and its kin as they are on the host.
func addTop(root *Root, base, name string) error {
	path := filepath.Join(base, name)
	st, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil
	case st.Mode()&os.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return fault.Inconclusivef("builder host", "%w", err)
		}
		if clean := strings.TrimPrefix(filepath.Clean(target), "/"); !strings.HasPrefix(clean, "usr/") && clean != "usr" {
			return fault.Inconclusivef("builder host", "/%s is a link to %s, outside /usr", name, fault.Quote(target))
		}
		root.Links = append(root.Links, Link{Path: "/" + name, Target: target})
	case st.IsDir():
		root.Layers = append(root.Layers, Layer{Name: "host /" + name, Dir: path, Target: "/" + name})
	}
	return nil
}

// osRelease returns PRETTY_NAME (os-release(5)), or "".
func osRelease(path string) string { return osReleaseValue(path, "PRETTY_NAME") }

func osReleaseValue(path, key string) string {
	data, err := readBounded(path, 64<<10)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// debianInventory lists every installed package of dpkg's status file, sorted; nothing on other systems.
func debianInventory(path string) ([]Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	list, err := installed(f)
	if err != nil {
		return nil, fault.Inconclusivef("builder host", "package list: %w", err)
	}
	return list, nil
}

// installed reads dpkg's status file.
func installed(r io.Reader) ([]Package, error) {
	var list []Package
	var name, version, arch string
	there := false
	flush := func() {
		if name != "" && there {
			list = append(list, debianPackage(name, version, arch))
		}
		name, version, arch, there = "", "", "", false
	}
	scan := bufio.NewScanner(io.LimitReader(r, maxPackageList))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		key, value, ok := strings.Cut(scan.Text(), ": ")
		switch {
		case scan.Text() == "":
			flush()
		case !ok:
		case key == "Package":
			name = value
		case key == "Version":
			version = value
		case key == "Architecture":
			arch = value
		case key == "Status":
			there = strings.HasSuffix(value, " installed")
		}
	}
	flush()
	slices.SortFunc(list, func(a, b Package) int { return strings.Compare(a.PURL, b.PURL) })
	return list, scan.Err()
}

// debianPackage names a package as package-url/purl-spec does.
func debianPackage(name, version, arch string) Package {
	escaped := strings.NewReplacer("+", "%2B", ":", "%3A").Replace(version)
	return Package{Name: name, Version: version, PURL: "pkg:deb/debian/" + strings.ReplaceAll(name, "+", "%2B") + "@" + escaped + "?arch=" + arch}
}
