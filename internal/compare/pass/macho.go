package pass

import (
	"encoding/binary"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/allow"
)

const (
	machoUUID = 0x1b // LC_UUID of mach-o/loader.h
	uuidLine  = 24
)

// machoShape finds the one LC_UUID of a little-endian Mach-O file.
func machoShape(c Content) (shape, error) {
	head, err := read(c, 0, 32)
	if err != nil {
		return nil, nil
	}
	at := int64(28)
	if head[0] == 0xcf {
		at = 32
	}
	n, size := binary.LittleEndian.Uint32(head[16:]), int64(binary.LittleEndian.Uint32(head[20:]))
	if n > maxSections || at+size > c.Size() {
		return nil, nil
	}
	end := at + size
	var list []piece
	for range n {
		cmd, err := read(c, at, 8)
		if err != nil {
			return nil, nil
		}
		length := int64(binary.LittleEndian.Uint32(cmd[4:]))
		if length < 8 || at+length > end {
			return nil, nil
		}
		if binary.LittleEndian.Uint32(cmd) == machoUUID {
			if length != uuidLine || len(list) > 0 {
				return nil, nil
			}
			id, err := read(c, at+8, 16)
			if err != nil {
				return nil, nil
			}
			v := id[6] >> 4
			list = append(list, piece{what: "uuid", at: at + 8, size: 16, rule: field, pass: allow.MachOUUID, valid: v >= 3 && v <= 5})
		}
		at += length
	}
	return around("macho", c.Size(), list), nil
}

// fatShape cuts a fat Mach-O file into its slices, each a file of its own.
func fatShape(c Content) (shape, error) {
	head, err := read(c, 0, 8)
	if err != nil {
		return nil, nil
	}
	n, line := int64(binary.BigEndian.Uint32(head[4:])), int64(20)
	if head[3] == 0xbf {
		line = 32
	}
	if n < 1 || n > maxSlices {
		return nil, nil
	}
	table, err := read(c, 8, n*line)
	if err != nil {
		return nil, nil
	}
	var list []piece
	for i := range n {
		e := table[i*line:]
		at, size := int64(binary.BigEndian.Uint32(e[8:])), int64(binary.BigEndian.Uint32(e[12:]))
		if line == 32 {
			at, size = int64(binary.BigEndian.Uint64(e[8:])), int64(binary.BigEndian.Uint64(e[16:]))
		}
		if at < 8+n*line || size < 0 || at > c.Size()-size {
			return nil, nil
		}
		list = append(list, piece{what: fmt.Sprintf("slice %d", i), at: at, size: size, rule: content, member: fmt.Sprintf("slice %d", i)})
	}
	return around("macho-fat", c.Size(), list), nil
}
