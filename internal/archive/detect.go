package archive

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Formats of containers and of compressed streams, as Detect names them.
const (
	FormatTar    = "tar"
	FormatZip    = "zip"
	FormatAr     = "ar"
	FormatCpio   = "cpio"
	FormatRPM    = "rpm"
	FormatISO    = "iso9660"
	FormatExt    = "ext"
	FormatFAT    = "fat"
	FormatSquash = "squashfs"
	FormatParts  = "partitions"
	FormatGzip   = "gzip"
	FormatBzip2  = "bzip2"
	FormatXZ     = "xz"
	FormatZstd   = "zstd"
	FormatLZ4    = "lz4"
)

// DetectBytes is how many bytes from the start Detect wants to see.
const DetectBytes = isoSystem + isoSector

// Detect names the container or compressed format whose first bytes head is, "" for none. Names of files play no part.
// A zip behind a prefix (self-extracting programs, Python zipapps) is found by FindZip instead.
func Detect(head []byte) string {
	for _, m := range []struct{ magic, format string }{
		{"\x1f\x8b\x08", FormatGzip},
		{"\xfd7zXZ\x00", FormatXZ},
		{"\x28\xb5\x2f\xfd", FormatZstd},
		{"\x04\x22\x4d\x18", FormatLZ4},
		{"PK\x03\x04", FormatZip},
		{"PK\x05\x06", FormatZip}, // no members
		{"!<arch>\n", FormatAr},
		{"070701", FormatCpio},
		{"070702", FormatCpio},
		{"070707", FormatCpio},
		{"\xed\xab\xee\xdb", FormatRPM},
		{"hsqs", FormatSquash},
	} {
		if strings.HasPrefix(string(head[:min(len(head), 8)]), m.magic) {
			return m.format
		}
	}
	if isBzip2(head) {
		return FormatBzip2
	}
	if isZstdSkippable(head) {
		return FormatZstd
	}
	switch {
	case isTar(head):
		return FormatTar
	case len(head) >= isoSystem+6 && string(head[isoSystem+1:isoSystem+6]) == "CD001":
		return FormatISO
	case isExt(head):
		return FormatExt
	case isFAT(head):
		return FormatFAT
	case isPartitioned(head):
		return FormatParts
	}
	return ""
}

// isExt asks for the magic of the superblock, and for a size of blocks and a state that there are.
func isExt(head []byte) bool {
	if len(head) < 2048 {
		return false
	}
	sb := head[1024:]
	le := binary.LittleEndian
	return le.Uint16(sb[56:]) == 0xef53 && le.Uint32(sb[24:]) <= 6 && le.Uint32(sb[40:]) > 0 && le.Uint16(sb[58:]) <= 7
}

// DiskImage tells whether a format is read at random by OpenDisk.
func DiskImage(format string) bool {
	switch format {
	case FormatISO, FormatExt, FormatFAT, FormatSquash, FormatParts:
		return true
	}
	return false
}

func isBzip2(head []byte) bool {
	return len(head) >= 10 && string(head[:3]) == "BZh" && head[3] >= '1' && head[3] <= '9' &&
		(string(head[4:10]) == "\x31\x41\x59\x26\x53\x59" || string(head[4:10]) == "\x17\x72\x45\x38\x50\x90")
}

// isZstdSkippable accepts a skippable frame that a zstd or lz4 frame may follow (RFC 8878, 3.1.2).
func isZstdSkippable(head []byte) bool {
	return len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18"
}

// isTar asks for the magic of POSIX or GNU, or, for v7 which has none, for a header whose checksum holds. An empty
// archive is two blocks of zeros, which could be anything and is called nothing.
func isTar(head []byte) bool {
	if len(head) < tarBlock || allZero(head[:tarBlock]) {
		return false
	}
	b := (*[tarBlock]byte)(head)
	if !tarSumHolds(b) {
		return false
	}
	return bytes.HasPrefix(head[257:], []byte("ustar")) || (b[0] != 0 && v7Flag(b[156]))
}

func v7Flag(c byte) bool { return c == 0 || c >= '0' && c <= '7' }

// Compressed tells whether the format is a compressed stream rather than a container.
func Compressed(format string) bool {
	switch format {
	case FormatGzip, FormatBzip2, FormatXZ, FormatZstd, FormatLZ4:
		return true
	}
	return false
}
