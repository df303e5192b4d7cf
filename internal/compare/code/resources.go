package code

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// resourceTypes are the predefined types (winuser.h).
var resourceTypes = map[uint32]string{
	1: "cursor", 2: "bitmap", 3: "icon", 4: "menu", 5: "dialog", 6: "string table", 9: "accelerators", 10: "data", 11: "messages", 12: "cursor group",
	14: "icon group", 16: "version", 24: "manifest",
}

// peResources lists the resources of a program, three levels of type, name and language; of version information every
// text.
func (m *image) peResources(h *optional) {
	b := h.dir(m, dirResource)
	if b == nil {
		return
	}
	r := resources{m: m, base: h.base, b: b}
	r.level(0, "", 0)
}

type resources struct {
	m    *image
	base uint64
	b    []byte
	n    int
}

func (r *resources) level(at uint32, path string, depth int) {
	le := binary.LittleEndian
	if uint64(at)+16 > uint64(len(r.b)) || depth > 2 {
		return
	}
	count := uint32(le.Uint16(r.b[at+12:])) + uint32(le.Uint16(r.b[at+14:]))
	for k := range count {
		entry := uint64(at) + 16 + 8*uint64(k)
		if r.n++; entry+8 > uint64(len(r.b)) || r.n > maxResources {
			return
		}
		id, to := le.Uint32(r.b[entry:]), le.Uint32(r.b[entry+4:])
		name := r.name(id, depth)
		if path != "" {
			name = path + "/" + name
		}
		if to&0x80000000 != 0 {
			r.level(to&0x7fffffff, name, depth+1)
			continue
		}
		if uint64(to)+16 > uint64(len(r.b)) {
			continue
		}
		data := r.m.bytes(r.base + uint64(le.Uint32(r.b[to:])))
		data = data[:min(uint64(len(data)), uint64(le.Uint32(r.b[to+4:])))]
		sum := sha256.Sum256(data)
		r.m.facts.resources[name] = fmt.Sprintf("%d bytes, SHA-256 %x", len(data), sum[:8])
		if len(name) > 7 && name[:7] == "version" {
			delete(r.m.facts.resources, name)
			r.version(data, "", 0)
		}
	}
}

func (r *resources) name(id uint32, depth int) string {
	if id&0x80000000 != 0 {
		at := uint64(id & 0x7fffffff)
		if at+2 > uint64(len(r.b)) {
			return "?"
		}
		n := uint64(binary.LittleEndian.Uint16(r.b[at:]))
		return utf16At(r.b[at+2:], int(min(n, uint64(len(r.b))/2)))
	}
	if t := resourceTypes[id]; t != "" && depth == 0 {
		return t
	}
	return fmt.Sprint(id)
}

// version walks the blocks of VS_VERSIONINFO: length, length of the value, kind, name, value, children, each at a
// multiple of four.
func (r *resources) version(b []byte, path string, depth int) {
	le := binary.LittleEndian
	for len(b) >= 6 && depth < 5 {
		size, value, kind := int(le.Uint16(b)), int(le.Uint16(b[2:])), le.Uint16(b[4:])
		if size < 6 || size > len(b) {
			return
		}
		block := b[:size]
		key := utf16At(block[6:], (size-6)/2)
		at := (6 + 2*len(utf16.Encode([]rune(key))) + 2 + 3) &^ 3
		full := path + "/" + key
		if r.n++; at > size || r.n > maxResources {
			return
		}
		if kind == 1 && value > 0 {
			r.m.facts.resources["version"+full] = utf16At(block[at:], min(value, (size-at)/2))
			at += 2 * value
		} else if value > 0 {
			r.m.facts.resources["version"+full] = fmt.Sprintf("%x", block[at:min(at+value, size)])
			at += value
		}
		if at = (at + 3) &^ 3; at < size {
			r.version(block[at:], full, depth+1)
		}
		if size = (size + 3) &^ 3; size > len(b) {
			return
		}
		b = b[size:]
	}
}

// utf16At returns the text of at most n units up to a zero.
func utf16At(b []byte, n int) string {
	var u []uint16
	for i := 0; i < n && 2*i+2 <= len(b) && i < maxString; i++ {
		c := binary.LittleEndian.Uint16(b[2*i:])
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}
