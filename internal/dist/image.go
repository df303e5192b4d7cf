package dist

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/oci"
)

// Layer is what an image holds for one architecture of Linux.
type Layer struct {
	Architecture string
	Files        []File
}

// Image makes an image layout as one tar: an index with an image for each layer, that runs its first file.
func Image(info Info, layers []Layer) ([]byte, error) {
	var images []oci.NewImage
	for _, l := range layers {
		packed, err := TarGzip(l.Files, info.Time)
		if err != nil {
			return nil, err
		}
		images = append(images, oci.NewImage{
			Platform: oci.Platform{OS: "linux", Architecture: l.Architecture}, Layer: packed, Entrypoint: []string{"/" + l.Files[0].Name}, Time: info.Time,
			Labels: map[string]string{"org.opencontainers.image.source": info.URL, "org.opencontainers.image.version": info.Version, "org.opencontainers.image.licenses": info.Licence},
		})
	}
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := oci.WriteLayout(dir, images); err != nil {
		return nil, err
	}
	var files []File
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, File{Name: filepath.ToSlash(name), Mode: 0o644, Data: data})
		return err
	})
	if err != nil {
		return nil, err
	}
	return Tar(files, info.Time)
}
