// Command glassbuild-dist packs a release of glassbuild from binaries that were built: archives, packages, an image, bills of
// materials, checksums. It runs as a step of the recipe, and gives the same bytes wherever and whenever it runs.
package main

import (
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/dist"
)

type platform struct{ os, arch string }

// binary is the file name of a program: glassbuild-OS-ARCHITECTURE, as Go names them.
func (p platform) binary() string {
	name := "glassbuild-" + p.os + "-" + p.arch
	if p.os == "windows" {
		name += ".exe"
	}
	return name
}

// found lists the platforms for which a program lies in dir, in the order of their names.
func found(dir string) ([]platform, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var platforms []platform
	for _, e := range list {
		parts := strings.Split(strings.TrimSuffix(e.Name(), ".exe"), "-")
		if len(parts) != 3 || parts[0] != "glassbuild" || !e.Type().IsRegular() {
			continue
		}
		if p := (platform{parts[1], parts[2]}); p.binary() == e.Name() {
			platforms = append(platforms, p)
		}
	}
	if len(platforms) == 0 {
		return nil, fmt.Errorf("%s: holds no program", dir)
	}
	return platforms, nil
}

func main() {
	dir := flag.String("dir", "/out", "folder with the binaries; what is made is left there")
	source := flag.String("source", ".", "folder of the source, for licence and documentation")
	flag.Parse()
	if err := run(*dir, *source); err != nil {
		fmt.Fprintln(os.Stderr, "glassbuild-dist: "+err.Error())
		os.Exit(1)
	}
}

func run(dir, source string) error {
	when, err := commitTime()
	if err != nil {
		return err
	}
	p := &packer{dir: dir, info: dist.Info{
		Name: "glassbuild", URL: "https://github.com/glassbuild/glassbuild", Maintainer: "glassbuild <release@glassbuild.invalid>", Licence: "Apache-2.0",
		Summary: "prove that the binary you were given is the source you were shown",
		Text:    "glassbuild takes a shipped artefact and a git commit, rebuilds the commit in a\nsealed sandbox, compares every byte, and gives one verdict.",
		Time:    when,
	}}
	if err := p.read(source); err != nil {
		return err
	}
	for _, t := range p.platforms {
		if err := p.pack(t); err != nil {
			return fmt.Errorf("%s/%s: %w", t.os, t.arch, err)
		}
	}
	if err := p.image(); err != nil {
		return err
	}
	return p.sums()
}

// commitTime is the time that everything packed carries.
func commitTime() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH") // https://reproducible-builds.org/specs/source-date-epoch/
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH is not set: glassbuild build sets it to the time of the commit")
	}
	return time.Unix(n, 0).UTC(), nil
}

// packer makes one release.
type packer struct {
	dir    string
	info   dist.Info
	common []dist.File // licence and documentation
	unix   []dist.File // manual pages and completions, as packages install them

	platforms []platform
	binaries  map[platform][]byte
	made      []dist.File
}

// read takes the binaries, and lets the one for this machine write manual pages and completions.
func (p *packer) read(source string) error {
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		data, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return err
		}
		p.common = append(p.common, dist.File{Name: name, Mode: 0o644, Data: data})
	}
	p.binaries = map[platform][]byte{}
	var err error
	if p.platforms, err = found(p.dir); err != nil {
		return err
	}
	for _, t := range p.platforms {
		name := filepath.Join(p.dir, t.binary())
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		p.binaries[t] = data
		p.made = append(p.made, dist.File{Name: t.binary(), Data: data})
		info, err := buildinfo.ReadFile(name)
		if err != nil {
			return err
		}
		if v := info.Main.Version; p.info.Version == "" {
			p.info.Version = v
		} else if v != p.info.Version {
			return fmt.Errorf("%s: says that it is version %s, another binary says %s", t.binary(), v, p.info.Version)
		}
		spdx, cyclonedx, err := dist.BillOfMaterials(t.binary(), data, info, p.info.Time)
		if err := p.leave(t.binary()+".spdx.json", spdx, err); err != nil {
			return err
		}
		if err := p.leave(t.binary()+".cdx.json", cyclonedx, err); err != nil {
			return err
		}
	}
	return p.help(filepath.Join(p.dir, platform{runtime.GOOS, runtime.GOARCH}.binary()))
}

// help asks the program for its manual pages and completions.
func (p *packer) help(program string) error {
	pages, err := os.MkdirTemp("", "man-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(pages)
	if _, err := exec.Command(program, "man", pages).Output(); err != nil {
		return fmt.Errorf("manual pages: %w", err)
	}
	list, err := os.ReadDir(pages)
	if err != nil {
		return err
	}
	for _, e := range list {
		data, err := os.ReadFile(filepath.Join(pages, e.Name()))
		if err != nil {
			return err
		}
		packed, err := dist.Gzip(data)
		if err != nil {
			return err
		}
		p.unix = append(p.unix, dist.File{Name: "usr/share/man/man1/" + e.Name() + ".gz", Mode: 0o644, Data: packed})
	}
	for _, c := range []struct{ shell, name string }{
		{"bash", "usr/share/bash-completion/completions/glassbuild"},
		{"zsh", "usr/share/zsh/vendor-completions/_glassbuild"},
		{"fish", "usr/share/fish/vendor_completions.d/glassbuild.fish"},
	} {
		data, err := exec.Command(program, "completion", c.shell).Output()
		if err != nil {
			return fmt.Errorf("completion for %s: %w", c.shell, err)
		}
		p.unix = append(p.unix, dist.File{Name: c.name, Mode: 0o644, Data: data})
	}
	return nil
}

// pack makes what is made for one platform.
func (p *packer) pack(t platform) error {
	stem := "glassbuild-" + t.os + "-" + t.arch
	program := dist.File{Name: stem + "/glassbuild", Mode: 0o755, Data: p.binaries[t]}
	if t.os == "windows" {
		program.Name += ".exe"
	}
	files := []dist.File{program}
	for _, f := range p.common {
		files = append(files, dist.File{Name: stem + "/" + f.Name, Mode: f.Mode, Data: f.Data})
	}
	if t.os == "windows" {
		data, err := dist.Zip(files, p.info.Time)
		return p.leave(stem+".zip", data, err)
	}
	for _, f := range p.unix {
		files = append(files, dist.File{Name: stem + "/" + strings.TrimPrefix(f.Name, "usr/"), Mode: f.Mode, Data: f.Data})
	}
	data, err := dist.TarGzip(files, p.info.Time)
	if err := p.leave(stem+".tar.gz", data, err); err != nil || t.os != "linux" {
		return err
	}
	info := p.info
	info.Architecture = t.arch
	data, err = dist.Debian(info, p.installed(t))
	if err := p.leave(stem+".deb", data, err); err != nil {
		return err
	}
	data, err = dist.RPM(info, p.installed(t))
	return p.leave(stem+".rpm", data, err)
}

// installed are the files as a package puts them into place.
func (p *packer) installed(t platform) []dist.File {
	files := append([]dist.File{{Name: "usr/bin/glassbuild", Mode: 0o755, Data: p.binaries[t]}}, p.unix...)
	for _, f := range p.common {
		name := map[string]string{"LICENSE": "copyright"}[f.Name]
		if name == "" {
			name = f.Name
		}
		files = append(files, dist.File{Name: "usr/share/doc/glassbuild/" + name, Mode: f.Mode, Data: f.Data})
	}
	return files
}

// image makes one image for every architecture of Linux: the static program and nothing else.
func (p *packer) image() error {
	var layers []dist.Layer
	for _, t := range p.platforms {
		if t.os == "linux" {
			layers = append(layers, dist.Layer{Architecture: t.arch, Files: []dist.File{{Name: "glassbuild", Mode: 0o755, Data: p.binaries[t]}}})
		}
	}
	if len(layers) == 0 {
		return nil
	}
	data, err := dist.Image(p.info, layers)
	return p.leave("glassbuild-image.tar", data, err)
}

func (p *packer) sums() error {
	return os.WriteFile(filepath.Join(p.dir, "SHA256SUMS"), dist.Sums(p.made), 0o644)
}

// leave writes one file of the release.
func (p *packer) leave(name string, data []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.made = append(p.made, dist.File{Name: name, Data: data})
	return os.WriteFile(filepath.Join(p.dir, name), data, 0o644)
}
