package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
)

// imageConfig is what a root takes from an image's configuration (image specification, config.md).
type imageConfig struct {
	diffIDs []string
	env     map[string]string
}

// config reads the configuration.
func (i *image) config(ctx context.Context, m *oci.Manifest) (*imageConfig, error) {
	raw, err := i.document(ctx, m.Config, oci.MaxManifest, func(p *oci.Place) ([]byte, error) { return p.ReadBlob(ctx, m.Config, oci.MaxManifest) })
	if err != nil {
		return nil, err
	}
	c, err := oci.ParseConfig(i.object(), raw)
	if err != nil {
		return nil, err
	}
	switch {
	case c.OS+"/"+c.Architecture != i.platform:
		return nil, fault.Usagef(i.object(), "choose platform: it is for %s, not for %s", fault.Quote(c.OS+"/"+c.Architecture), i.platform)
	case len(c.DiffIDs) != len(m.Layers):
		return nil, fault.Failf(i.object(), "wrong diff-id: the configuration names %d layers, the manifest %d", len(c.DiffIDs), len(m.Layers))
	}
	return &imageConfig{diffIDs: c.DiffIDs, env: imageEnv(c.Env)}, nil
}

// ownNames are variables that a step gets from elsewhere, and that an image does not decide.
var ownNames = map[string]bool{"HOME": true, "USER": true, "LOGNAME": true, "TMPDIR": true, "TZ": true, "SOURCE_DATE_EPOCH": true, "TERM": true, "HOSTNAME": true}

func imageEnv(list []string) map[string]string {
	env := map[string]string{}
	for _, e := range list {
		name, value, ok := strings.Cut(e, "=")
		if ok && name != "" && !ownNames[name] && fault.Plain(name) && !strings.ContainsRune(value, 0) {
			env[name] = value
		}
	}
	return env
}

// unpack stages every layer, on all processors.
func (i *image) unpack(ctx context.Context, m *oci.Manifest, config *imageConfig, stage *rootfs.Stage) ([][]rootfs.Entry, error) {
	layers := make([][]rootfs.Entry, len(m.Layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(unpackers)
	for n, d := range m.Layers {
		group.Go(func() error {
			var err error
			layers[n], err = i.layer(ctx, d, config.diffIDs[n], stage)
			return err
		})
	}
	return layers, group.Wait()
}

// layerFormats are the media types of layers that can be unpacked. Those that are "nondistributable" or "foreign" lie at
// other addresses.
var layerFormats = map[string]string{
	"application/vnd.oci.image.layer.v1.tar":            "",
	"application/vnd.oci.image.layer.v1.tar+gzip":       archive.FormatGzip,
	"application/vnd.oci.image.layer.v1.tar+zstd":       archive.FormatZstd,
	"application/vnd.docker.image.rootfs.diff.tar":      "",
	"application/vnd.docker.image.rootfs.diff.tar.gzip": archive.FormatGzip,
}

// layer unpacks one layer and holds what it expands to against its diff-id.
func (i *image) layer(ctx context.Context, d oci.Descriptor, diffID string, stage *rootfs.Stage) ([]rootfs.Entry, error) {
	format, ok := layerFormats[d.MediaType]
	switch {
	case strings.Contains(d.MediaType, "nondistributable") || strings.Contains(d.MediaType, "foreign"):
		return nil, fault.Failf(i.object(), "external layer: %s lies at another address", d.Digest)
	case !ok:
		return nil, fault.Inconclusivef(i.object(), "layer of an unknown kind %s", fault.Quote(d.MediaType))
	}
	f, err := i.opts.Store.OpenBlob(strings.TrimPrefix(d.Digest, "sha256:"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	meter := archive.NewMeter("layer "+d.Digest, st.Size(), archive.Limits{Expanded: maxImageBytes})
	var r io.Reader = f
	if format != "" {
		z, err := archive.Decompress(format, f, meter)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	}
	h := sha256.New()
	tee := io.TeeReader(r, h)
	entries, err := stage.Read(ctx, archive.NewTar(tee, meter))
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, tee); err != nil { // an archive without end marker ends where the stream does
		return nil, err
	}
	if got := "sha256:" + hex.EncodeToString(h.Sum(nil)); got != diffID {
		return nil, fault.Failf(i.object(), "wrong diff-id: layer %s expands to %s, the configuration says %s", d.Digest, got, fault.Quote(diffID))
	}
	return entries, nil
}

// Marks in a layer that take something of the layers below it away (image specification, layer.md, "Whiteouts").
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// layOver lays one layer over those below it: first what it takes away from them, then what it brings.
func layOver(tree *rootfs.Tree, entries []rootfs.Entry) error {
	for _, e := range entries {
		dir, base := path.Split(e.Name)
		hidden, ok := strings.CutPrefix(base, whiteout)
		var err error
		switch {
		case base == opaque:
			err = tree.Empty(path.Clean(dir))
		case strings.HasPrefix(base, ".wh..wh."): // aufs keeps its own books under such names
		case ok && (hidden == "" || hidden == "." || hidden == ".."):
			err = fault.Failf(fault.Quote(e.Name), "unsafe path")
		case ok:
			err = tree.Remove(path.Join(dir, hidden))
		}
		if err != nil {
			return err
		}
	}
	for _, e := range entries {
		if strings.HasPrefix(path.Base(e.Name), whiteout) {
			continue
		}
		if err := tree.Layer("", e); err != nil {
			return err
		}
	}
	return nil
}
