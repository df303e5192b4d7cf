package builder

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// mergedFolders are links into /usr in every root that is laid (https://wiki.debian.org/UsrMerge).
var mergedFolders = []string{"bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32"}

// layDebian lays unpacked packages over each other and does what their maintainer scripts would have done for a build: the
// links of alternatives, the accounts of base-passwd, whose distribution it is, dpkg's own list. No script is run, here or in the sandbox.
func layDebian(debs []*deb, stage *rootfs.Stage) (*rootfs.Tree, error) {
	l := &packing{stage: stage, tree: rootfs.NewTree(), byName: map[string]*deb{}, top: map[string]bool{"bin": true, "sbin": true, "lib": true}}
	for _, d := range debs {
		l.byName[d.pkg.Name] = d
	}
	for _, d := range debs {
		if err := l.install(d); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{l.merge, func() error { return l.alternatives(debs) }, l.accounts, l.vendor, func() error { return l.database(debs) }} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return l.tree, nil
}

type packing struct {
	stage  *rootfs.Stage
	tree   *rootfs.Tree
	byName map[string]*deb
	top    map[string]bool // of mergedFolders, those that are needed
}

func (l *packing) install(d *deb) error {
	for _, e := range d.files {
		name, ok := l.place(e.Name)
		if !ok {
			continue
		}
		e.Name = name
		if err := l.tree.Install(d.pkg.Name, e, l.decide); err != nil {
			return fmt.Errorf("package %s: %w", d.pkg.Name, err)
		}
	}
	return nil
}

// place moves what a package has in a merged folder below /usr. The folder itself, or a link in its stead, is laid by merge.
func (l *packing) place(name string) (string, bool) {
	first, rest, below := strings.Cut(name, "/")
	if !slices.Contains(mergedFolders, first) {
		return name, true
	}
	l.top[first] = true
	if !below {
		return "", false
	}
	return "usr/" + first + "/" + rest, true
}

// decide lets a package take the place of another's file only where it says so, as dpkg does.
func (l *packing) decide(name, old, new string) (bool, error) {
	a, b := l.byName[old], l.byName[new]
	if a == nil || b == nil {
		return false, fault.Failf(fault.Quote(name), "stands in two packages: %s, %s", fault.Quote(old), fault.Quote(new))
	}
	if yes, err := b.replaces(a); yes || err != nil {
		return yes, err
	}
	if yes, err := a.replaces(b); yes || err != nil {
		return false, err
	}
	return false, fault.Failf(fault.Quote(name), "stands in two packages, and neither replaces the other: %s, %s", fault.Quote(old), fault.Quote(new))
}

func (l *packing) add(e rootfs.Entry) error { return l.tree.Layer("", e) }

func (l *packing) merge() error {
	for _, name := range mergedFolders {
		if !l.top[name] {
			continue
		}
		if _, ok := l.tree.Owner("usr/" + name); !ok {
			if err := l.add(rootfs.Folder("usr/"+name, 0o755)); err != nil {
				return err
			}
		}
		if err := l.add(rootfs.Link(name, "usr/"+name)); err != nil {
			return err
		}
	}
	return nil
}

// alternatives lays the links that update-alternatives(1) makes: of every name the candidate with the highest priority.
func (l *packing) alternatives(debs []*deb) error {
	best := map[string]debian.Alternative{}
	var names []string
	for _, d := range debs {
		for _, a := range debian.Alternatives(d.info["postinst"]) {
			if _, ok := l.tree.Owner(l.physical(a.Path)); !ok {
				continue
			}
			old, ok := best[a.Name]
			if !ok {
				names = append(names, a.Name)
			}
			if !ok || cmp.Or(cmp.Compare(a.Priority, old.Priority), cmp.Compare(old.Path, a.Path)) > 0 {
				best[a.Name] = a
			}
		}
	}
	slices.Sort(names)
	for _, n := range names {
		a := best[n]
		for _, link := range append([]debian.AlternativeLink{{Link: a.Link, Name: a.Name, Path: a.Path}}, a.Slaves...) {
			if err := l.alternative(link); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *packing) alternative(a debian.AlternativeLink) error {
	at := l.physical(a.Link)
	if _, taken := l.tree.Owner(at); taken {
		return nil // a package's own file stays
	}
	if _, ok := l.tree.Owner(l.physical(a.Path)); !ok {
		return nil
	}
	if err := l.add(rootfs.Link("etc/alternatives/"+a.Name, a.Path)); err != nil {
		return err
	}
	return l.add(rootfs.Link(at, "/etc/alternatives/"+a.Name))
}

// physical is where an absolute path of a script lies in the tree.
func (l *packing) physical(p string) string {
	name, ok := l.place(strings.TrimPrefix(p, "/"))
	if !ok {
		return "usr/" + strings.TrimPrefix(p, "/")
	}
	return name
}

// accounts lays the files that base-passwd copies.
func (l *packing) accounts() error {
	d := l.byName["base-passwd"]
	if d == nil {
		return nil
	}
	for _, e := range d.files {
		to, ok := map[string]string{"usr/share/base-passwd/passwd.master": "etc/passwd", "usr/share/base-passwd/group.master": "etc/group"}[e.Name]
		if !ok || e.Type != archive.File {
			continue
		}
		c, err := l.stage.Copy(e, to, 0o644)
		if err != nil {
			return err
		}
		if err := l.add(c); err != nil {
			return err
		}
	}
	return nil
}

// Where a distribution says who it is (dpkg-vendor(1)), and the link that base-files makes to it. Without it dpkg-buildflags
// gives no flags at all, and packages are compiled without optimization.
const (
	originDebian  = "etc/dpkg/origins/debian"
	originDefault = "etc/dpkg/origins/default"
)

func (l *packing) vendor() error {
	if owner, ok := l.tree.Owner(originDebian); !ok || owner != "base-files" {
		return nil
	}
	if _, taken := l.tree.Owner(originDefault); taken {
		return nil
	}
	return l.add(rootfs.Link(originDefault, "debian"))
}

// database writes dpkg's list of what is installed: dpkg-query, dpkg-shlibdeps and debhelper read it.
func (l *packing) database(debs []*deb) error {
	var status bytes.Buffer
	for _, d := range debs {
		d.control.WriteStatus(&status, d.info["conffiles"])
		if err := l.info(d); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{"status": status.Bytes(), "available": nil, "info/format": []byte("1\n")} {
		if err := l.file("var/lib/dpkg/"+name, data); err != nil {
			return err
		}
	}
	return nil
}

// info writes what dpkg keeps of a package, but for its scripts.
func (l *packing) info(d *deb) error {
	base := "var/lib/dpkg/info/" + d.pkg.Name
	if d.control.Get("Multi-Arch") == "same" {
		base += ":" + d.pkg.Architecture
	}
	var list bytes.Buffer
	list.WriteString("/.\n")
	for _, e := range d.files {
		if e.Name != "." {
			list.WriteString("/" + e.Name + "\n")
		}
	}
	if err := l.file(base+".list", list.Bytes()); err != nil {
		return err
	}
	for _, name := range []string{"conffiles", "md5sums", "shlibs", "symbols", "triggers"} {
		if data, ok := d.info[name]; ok {
			if err := l.file(base+"."+name, data); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *packing) file(name string, data []byte) error {
	e, err := l.stage.File(name, 0o644, data)
	if err != nil {
		return err
	}
	return l.add(e)
}
