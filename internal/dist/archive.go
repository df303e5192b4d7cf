package dist

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Tar packs files as a plain tar.
func Tar(files []File, when time.Time) ([]byte, error) {
	list, err := sorted(files)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range list {
		h := &tar.Header{Name: f.Name, Mode: f.Mode, Size: int64(len(f.Data)), ModTime: when, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR, Uname: "root", Gname: "root"}
		if f.folder() {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, err
		}
	}
	return finished(&b, w)
}

// TarGzip packs files as .tar.gz.
func TarGzip(files []File, when time.Time) ([]byte, error) {
	data, err := Tar(files, when)
	if err != nil {
		return nil, err
	}
	return Gzip(data)
}

// Gzip compresses with a header that says neither time nor name.
func Gzip(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	return finished(&b, w)
}

// Zip packs files as .zip.
func Zip(files []File, when time.Time) ([]byte, error) {
	list, err := sorted(files)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range list {
		if f.folder() {
			continue
		}
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: when.UTC()}
		h.SetMode(fs.FileMode(f.Mode).Perm())
		to, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := to.Write(f.Data); err != nil {
			return nil, err
		}
	}
	return finished(&b, w)
}

// finished returns what w wrote into b, its end included.
func finished(b *bytes.Buffer, w io.Closer) ([]byte, error) {
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Sums is a list of checksums as sha256sum(1) writes it.
func Sums(files []File) []byte {
	var lines []string
	for _, f := range files {
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(f.Data), f.Name))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	return []byte(strings.Join(lines, ""))
}
