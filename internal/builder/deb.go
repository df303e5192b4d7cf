package builder

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// deb is one package, unpacked into a stage.
type deb struct {
	pkg     DebianPackage
	control *debian.Paragraph
	info    map[string][]byte // the other files of the control archive, maintainer scripts among them: read, never run
	files   []rootfs.Entry
}

// readDeb reads a package (deb(5)) whose digest was checked.
func readDeb(ctx context.Context, f *os.File, pkg DebianPackage, stage *rootfs.Stage) (*deb, error) {
	meter := archive.NewMeter(pkg.Name, pkg.Size, archive.Limits{Expanded: maxDebBytes})
	r := archive.NewAr(f, meter)
	first, err := r.Next()
	if err != nil {
		return nil, err
	}
	version, err := io.ReadAll(io.LimitReader(r, 16))
	if err != nil {
		return nil, err
	}
	if first.Name != "debian-binary" || !strings.HasPrefix(string(version), "2.") {
		return nil, fault.Failf(fault.Quote(pkg.Name), "is no Debian package of format 2")
	}
	d := &deb{pkg: pkg, info: map[string][]byte{}}
	if err := d.member(r, meter, "control.tar", func(t *archive.Tar) error { return d.readControl(t) }); err != nil {
		return nil, err
	}
	err = d.member(r, meter, "data.tar", func(t *archive.Tar) error {
		d.files, err = stage.Read(ctx, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := r.Next(); err != io.EOF {
		return nil, fault.Failf(fault.Quote(pkg.Name), "trailing data: a third archive in the package")
	}
	return d, d.check()
}

// member opens the next member, which must be the tar archive of that name, compressed or not. Members whose name begins
// with an underscore are for nobody (deb(5)).
func (d *deb) member(r *archive.Ar, meter *archive.Meter, name string, read func(*archive.Tar) error) error {
	e, err := r.Next()
	for err == nil && strings.HasPrefix(e.Name, "_") {
		e, err = r.Next()
	}
	if err != nil {
		return fault.Failf(fault.Quote(d.pkg.Name), "holds no %s: %w", name, err)
	}
	format, ok := map[string]string{name: "", name + ".gz": archive.FormatGzip, name + ".xz": archive.FormatXZ, name + ".zst": archive.FormatZstd, name + ".bz2": archive.FormatBzip2}[e.Name]
	if !ok {
		return fault.Failf(fault.Quote(d.pkg.Name), "holds %s where %s should be", fault.Quote(e.Name), name)
	}
	layer := meter.Layer(d.pkg.Name+"/"+e.Name, e.Size)
	if format == "" {
		return read(archive.NewTar(r, layer))
	}
	z, err := archive.Decompress(format, r, layer)
	if err != nil {
		return err
	}
	defer z.Close()
	return read(archive.NewTar(z, layer))
}

func (d *deb) readControl(t *archive.Tar) error {
	for {
		e, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Type != archive.File {
			continue
		}
		if strings.Contains(e.Name, "/") || e.Size > debian.MaxControl {
			return fault.Failf(fault.Quote(d.pkg.Name), "malformed control archive: %s", fault.Quote(e.Name))
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		d.info[e.Name] = data
	}
}

// check holds the package against what the index said of it.
func (d *deb) check() error {
	var err error
	if d.control, err = debian.ParseParagraph(d.info["control"], debian.MaxControl); err != nil {
		return fault.Failf(fault.Quote(d.pkg.Name), "%w", err)
	}
	if name, version := d.control.Get("Package"), d.control.Get("Version"); name != d.pkg.Name || version != d.pkg.Version {
		return fault.Failf(fault.Quote(d.pkg.Name), "is %s %s, the index says %s", fault.Quote(name), fault.Quote(version), d.pkg.Version)
	}
	return nil
}

// replaces tells whether the package says that its files take the place of another's (Debian policy 7.6.1).
func (d *deb) replaces(other *deb) (bool, error) {
	list, err := debian.ParseRelations(d.control.Get("Replaces"))
	if err != nil {
		return false, fmt.Errorf("package %s: %w", d.pkg.Name, err)
	}
	for _, clause := range list {
		for _, r := range clause {
			if r.Name == other.pkg.Name && r.Admits(other.pkg.Version) {
				return true, nil
			}
		}
	}
	return false, nil
}
