package vendors

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// member is one entry of an archive, written as it is told, however hostile.
type member struct {
	name string
	data []byte
	mode int64  // 0 means 0644
	link string // target of a symbolic link
}

// tarball writes a tar.gz as release scripts do: members in the order given, times of the commit, owner 0.
func tarball(when time.Time, members ...member) ([]byte, error) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for _, m := range members {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: m.name, Mode: m.mode, Size: int64(len(m.data)), ModTime: when}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if m.link != "" {
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, m.link, 0o777
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(m.data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// zipball writes a zip file.
func zipball(when time.Time, members ...member) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: when}
		h.SetMode(0o644)
		if m.mode != 0 {
			h.SetMode(os.FileMode(m.mode))
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(m.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// ship writes one file of a release and returns its path relative to the folder of everything.
func (m *maker) ship(release, name string, data []byte, mode os.FileMode) (string, error) {
	rel := filepath.Join("releases", release, name)
	file := filepath.Join(m.dir, rel)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(file, data, mode); err != nil {
		return "", err
	}
	return filepath.ToSlash(rel), os.Chmod(file, mode)
}
