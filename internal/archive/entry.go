// Package archive reads archives and compressed streams that somebody hostile may have made.
//
// Promises, the same for every format:
//
//   - Streaming: memory does not grow with the size of an archive or of a member; Limits bound what grows with the
//     number of members. A length that a header claims never becomes an allocation before it was compared with a
//     constant in limits.go.
//   - One meaning: what two readers of a format could understand differently is refused: duplicate members, paths
//     through links or files, disagreeing zip directories, data after the end, numbers that do not parse.
//   - Nothing is written: links are reported and never followed, names are checked and returned as clean relative
//     slash paths.
//
// A refusal is a fault.Failed error "object: reason". What the format allows but this package cannot read
// (an exotic compression method, an encrypted zip) is fault.Inconclusive.
//
// Formats: tar as POSIX.1-2001 pax, ustar, v7 and GNU (tar.go); zip as APPNOTE 6.3.10 (zip.go); ar in its System V,
// GNU and BSD forms (ar.go); cpio newc, crc and odc (cpio.go); RPM version 3 and 4 packages (rpm.go); ISO 9660
// with Rock Ridge and Joliet (iso.go); ext2, ext3 and ext4 (ext.go); squashfs 4.0 (squashfs.go); FAT (fat.go); partition
// tables of PCs and GPTs (partitions.go); gzip by RFC 1952,
// xz by its format specification 1.2.0, bzip2, zstd by RFC 8878, lz4 frames.
package archive

import (
	"errors"
	"io"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Type says what a member is. The zero value is not a valid type.
type Type uint8

// The types of members. Devices, FIFOs and sockets are never returned: they are refused.
const (
	File Type = iota + 1
	Directory
	Symlink
	Hardlink
)

// String returns "file", "directory", "symlink" or "hardlink".
func (t Type) String() string {
	switch t {
	case File:
		return "file"
	case Directory:
		return "directory"
	case Symlink:
		return "symlink"
	case Hardlink:
		return "hardlink"
	}
	return "unknown"
}

// MarshalText writes the type as String does.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// An Entry is one member as its header describes it.
type Entry struct {
	Name    string // clean, relative, slash separated; "." is the root directory itself
	Type    Type
	Mode    uint32 // permission bits with set-uid 04000, set-gid 02000, sticky 01000
	UID     int
	GID     int
	User    string
	Group   string
	ModTime int64 // seconds since 1970
	Size    int64 // bytes that Read will return
	Link    string
	Xattrs  map[string]string

	// Offset is where the content lies in the archive byte for byte, -1 when it does not (compressed, sparse).
	Offset int64
	// Packed tells how a compressed zip member is stored; nil for every other.
	Packed *Packed
}

// A Reader yields the members of one archive in the order in which they lie in it.
type Reader interface {
	// Next advances to the next member. It returns io.EOF only after the end of the archive was checked too.
	Next() (*Entry, error)
	// Read reads the content of the member that Next returned.
	Read([]byte) (int, error)
}

// A Region is a run of bytes that belongs to no member and is not needed to find one.
type Region struct {
	Offset int64
	Size   int64
	What   string
}

func isFault(err error) bool {
	var f *fault.Error
	return errors.As(err, &f)
}

// offsetReader counts what was read from the archive, so that members can be found again.
type offsetReader struct {
	r   io.Reader
	off int64
}

func (r *offsetReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.off += int64(n)
	return n, err
}

// full reads exactly len(p) bytes; an end before the first byte is io.EOF.
func (r *offsetReader) full(p []byte) error {
	_, err := io.ReadFull(r, p)
	return err
}

// skip drops n bytes.
func (r *offsetReader) skip(n int64) error {
	got, err := io.CopyN(io.Discard, r, n)
	if err == io.EOF && got < n {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// drainZero reads to the end and tells whether only zero bytes were left.
func (r *offsetReader) drainZero() (bool, error) {
	var buf [4096]byte
	zero := true
	for {
		n, err := r.Read(buf[:])
		zero = zero && allZero(buf[:n])
		if err == io.EOF || !zero {
			return zero, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func allZero(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}
