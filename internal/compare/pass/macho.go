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
	var used []span // what lies elsewhere: sections, and the entry point
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
		more, ok := elsewhere(c, at, length, binary.LittleEndian.Uint32(cmd))
		if !ok {
			return nil, nil
		}
		used = append(used, more...)
		at += length
	}
	for _, p := range list {
		for _, u := range used {
			if p.at < u.at+u.size && u.at < p.at+p.size {
				return nil, nil
			}
		}
	}
	return around("macho", c.Size(), list), nil
}

// elsewhere returns what a load command says lies elsewhere in the file: a section that claims the commands, or an entry point
// in them, would make code or data of what is forgiven. It says no where it cannot tell.
func elsewhere(c Content, at, length int64, cmd uint32) ([]span, bool) {
	b, err := read(c, at, length)
	if err != nil {
		return nil, false
	}
	le := binary.LittleEndian
	head, line := 72, 80 // segment_command_64, section_64
	switch cmd {
	case 0x5: // LC_UNIXTHREAD: registers
		return nil, false
	case 0x80000028: // LC_MAIN
		if len(b) < 16 {
			return nil, false
		}
		return []span{{max(int64(le.Uint64(b[8:])), 0), c.Size()}}, true // and whatever it runs into
	case 0x1: // LC_SEGMENT
		head, line = 56, 68
	case 0x19: // LC_SEGMENT_64
	default:
		return nil, true
	}
	if len(b) < head || (len(b)-head)%line != 0 {
		return nil, false
	}
	var list []span
	for s := b[head:]; len(s) > 0; s = s[line:] {
		size, from, flags := int64(le.Uint32(s[36:])), int64(le.Uint32(s[40:])), s[56]
		if line == 80 {
			size, from, flags = int64(le.Uint64(s[40:])), int64(le.Uint32(s[48:])), s[64]
		}
		if flags == 1 || flags == 0xc || flags == 0x12 { // zeros, which are not in the file
			continue
		}
		list = append(list, span{from, size})
	}
	return list, true
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
