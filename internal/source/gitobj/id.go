package gitobj

import (
	"bytes"
	"encoding/hex"
)

// Format is the hash function that names a repository's objects (extensions.objectFormat). The zero value names none.
type Format uint8

// The object formats that git knows.
const (
	SHA1 Format = iota + 1
	SHA256
)

// Size returns the length of an id in bytes.
func (f Format) Size() int {
	switch f {
	case SHA1:
		return 20
	case SHA256:
		return 32
	}
	return 0
}

// String returns the name that git's configuration uses: "sha1" or "sha256".
func (f Format) String() string {
	switch f {
	case SHA1:
		return "sha1"
	case SHA256:
		return "sha256"
	}
	return "unknown"
}

// ID is the id of an object in either format. IDs are comparable; the zero ID names nothing.
type ID struct {
	raw [32]byte
	n   uint8
}

// ParseID reads a full id: 40 or 64 lower-case hexadecimal digits.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != 40 && len(s) != 64 {
		return id, false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return id, false
		}
	}
	if _, err := hex.Decode(id.raw[:], []byte(s)); err != nil {
		return ID{}, false
	}
	id.n = uint8(len(s) / 2)
	return id, true
}

// idFrom takes the first f.Size() bytes of b, which must be there.
func idFrom(f Format, b []byte) ID {
	var id ID
	id.n = uint8(f.Size())
	copy(id.raw[:id.n], b)
	return id
}

// String returns the id in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id.raw[:id.n]) }

// IsZero tells whether id names nothing, either because it is the zero ID or because all its bytes are zero.
func (id ID) IsZero() bool { return id.raw == [32]byte{} }

// Compare orders ids by their bytes.
func (id ID) Compare(other ID) int { return bytes.Compare(id.raw[:], other.raw[:]) }

// Format returns the format that an id of this length belongs to.
func (id ID) Format() Format {
	switch id.n {
	case 20:
		return SHA1
	case 32:
		return SHA256
	}
	return 0
}

// Type is the type of an object. The zero value is no type.
type Type uint8

// The types of objects, numbered as packs number them.
const (
	Commit Type = iota + 1
	Tree
	Blob
	Tag
)

const (
	offsetDelta = 6
	refDelta    = 7
)

// String returns the name that stands in an object's header.
func (t Type) String() string {
	switch t {
	case Commit:
		return "commit"
	case Tree:
		return "tree"
	case Blob:
		return "blob"
	case Tag:
		return "tag"
	}
	return "unknown"
}

func typeOf(name []byte) Type {
	for t := Commit; t <= Tag; t++ {
		if string(name) == t.String() {
			return t
		}
	}
	return 0
}
