package vendors

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"time"
)

// zipFile is one file of a module, as golang.org/x/mod/zip wants it.
type zipFile struct {
	path string
	data []byte
}

func (f zipFile) Path() string                 { return f.path }
func (f zipFile) Lstat() (fs.FileInfo, error)  { return f, nil }
func (f zipFile) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.data)), nil }
func (f zipFile) Name() string                 { return path.Base(f.path) }
func (f zipFile) Size() int64                  { return int64(len(f.data)) }
func (f zipFile) Mode() fs.FileMode            { return 0o644 }
func (f zipFile) ModTime() time.Time           { return time.Time{} }
func (f zipFile) IsDir() bool                  { return false }
func (f zipFile) Sys() any                     { return nil }
