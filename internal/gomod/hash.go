package gomod

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// moduleZip is a module zip whose names and declared sizes were checked.
type moduleZip struct {
	mod   module.Version
	files map[string]*zip.File // by the path within the module
	r     *zip.Reader
	left  int64 // bytes that may still be expanded
}

// openZip checks a module zip as https://go.dev/ref/mod#zip-files demands: every name below "path@version/", no two that
// collide, bounded sizes.
func openZip(mod module.Version, f *os.File) (*moduleZip, error) {
	name := mod.Path + "@" + mod.Version
	info, err := f.Stat()
	if err != nil {
		return nil, fault.Inconclusivef(name, "%w", err)
	}
	if info.Size() > MaxZip {
		return nil, fault.Failf(name, "exceeds limit: zip of %d bytes", info.Size())
	}
	r, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, fault.Failf(name, "malformed zip: %w", err)
	}
	if len(r.File) > maxZipFiles {
		return nil, fault.Failf(name, "exceeds limit: %d files", len(r.File))
	}
	checked, err := modzip.CheckZip(mod, f.Name())
	if err == nil {
		err = checked.Err()
	}
	if err != nil {
		return nil, fault.Failf(name, "not a module zip: %w", oneLine(err))
	}
	z := &moduleZip{mod: mod, files: map[string]*zip.File{}, r: r, left: MaxZip}
	for _, zf := range r.File {
		p, ok := strings.CutPrefix(zf.Name, name+"/")
		if !ok || z.files[p] != nil {
			return nil, fault.Failf(name, "not a module zip: bad or repeated name %q", zf.Name)
		}
		z.files[p] = zf
	}
	return z, nil
}

func oneLine(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(first)
}

// open opens one file for reading; what it expands to counts against the whole zip's limit.
func (z *moduleZip) open(p string) (io.ReadCloser, error) {
	zf, ok := z.files[p]
	if !ok {
		return nil, fs.ErrNotExist
	}
	rc, err := zf.Open()
	if err != nil {
		return nil, err
	}
	return &bounded{ReadCloser: rc, left: &z.left}, nil
}

type bounded struct {
	io.ReadCloser
	left *int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return 0, errors.New("expands beyond the limit")
	}
	return n, err
}

// sum is the zip's hash as it stands in go.sum.
func (z *moduleZip) sum() (string, error) {
	prefix := z.mod.Path + "@" + z.mod.Version + "/"
	var names []string
	for _, zf := range z.r.File {
		names = append(names, zf.Name)
	}
	sum, err := hash1(names, func(n string) (io.ReadCloser, error) { return z.open(strings.TrimPrefix(n, prefix)) })
	if err != nil {
		return "", fault.Failf(z.mod.Path+"@"+z.mod.Version, "malformed zip: %w", err)
	}
	return sum, nil
}

// hash1 is dirhash.Hash1, which takes a new buffer for every file: thousands in a module of any size.
func hash1(names []string, open func(string) (io.ReadCloser, error)) (string, error) {
	all, one := sha256.New(), sha256.New()
	buffer, sum := make([]byte, 32<<10), make([]byte, 0, sha256.Size)
	for _, name := range slices.Sorted(slices.Values(names)) {
		if strings.Contains(name, "\n") {
			return "", errors.New("a file name with a line's end in it")
		}
		r, err := open(name)
		if err != nil {
			return "", err
		}
		one.Reset()
		_, err = io.CopyBuffer(one, struct{ io.Reader }{r}, buffer)
		r.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%x  %s\n", one.Sum(sum), name)
	}
	return "h1:" + base64.StdEncoding.EncodeToString(all.Sum(nil)), nil
}

// SumZip returns the hash of a module zip as it stands in go.sum. f must be an ordinary file that nobody changes.
func SumZip(mod module.Version, f *os.File) (string, error) {
	z, err := openZip(mod, f)
	if err != nil {
		return "", err
	}
	return z.sum()
}

// SumMod returns the hash of a go.mod file as it stands in go.sum.
func SumMod(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxMod+1))
	if err != nil {
		return "", err
	}
	if len(data) > MaxMod {
		return "", fmt.Errorf("go.mod exceeds %d bytes", MaxMod)
	}
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
}
