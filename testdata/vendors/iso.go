package vendors

import (
	"encoding/binary"
	"strings"
)

const isoSector = 2048

// isoImage writes an ISO 9660 image (ECMA-119, level 1) with the members in its root directory.
func isoImage(members ...member) []byte {
	img := make([]byte, 19*isoSector)
	root := isoRecord("\x00", 18, isoSector, 2)
	volume := img[16*isoSector:]
	volume[0] = 1
	copy(volume[1:], "CD001\x01")
	binary.LittleEndian.PutUint16(volume[128:], isoSector)
	copy(volume[156:], root)
	end := img[17*isoSector:]
	end[0] = 255
	copy(end[1:], "CD001\x01")
	dir := append(root, isoRecord("\x01", 18, isoSector, 2)...)
	for _, m := range members {
		dir = append(dir, isoRecord(strings.ToUpper(m.name)+";1", len(img)/isoSector, len(m.data), 0)...)
		img = append(img, m.data...)
		img = append(img, make([]byte, -len(m.data)&(isoSector-1))...)
	}
	copy(img[18*isoSector:19*isoSector], dir)
	return img
}

// isoRecord is a directory record (ECMA-119, 9.1).
func isoRecord(name string, sector, size int, flags byte) []byte {
	b := make([]byte, (33+len(name)+1)&^1)
	both := func(b []byte, v int) {
		binary.LittleEndian.PutUint32(b, uint32(v))
		binary.BigEndian.PutUint32(b[4:], uint32(v))
	}
	b[0], b[25], b[32] = byte(len(b)), flags, byte(len(name))
	both(b[2:], sector)
	both(b[10:], size)
	b[18], b[19], b[20] = 126, 4, 13
	copy(b[33:], name)
	return b
}
