package archive

import "encoding/binary"

// blockMap gathers the blocks of one inode in their order.
type blockMap struct {
	x      *extReader
	blocks int64 // that the size asks for
	next   int64 // logical block that comes next
	list   []extent
	budget int // nodes of the tree that may still be read
}

// put adds n blocks at physical block at for logical block logical; a negative at means zeros.
func (m *blockMap) put(logical, at, n int64) error {
	if logical < m.next || n <= 0 || logical+n > maxExtBlocks || at > m.x.d.size/m.x.block {
		return m.x.d.m.fail("malformed ext: extents")
	}
	m.hole(logical)
	off := int64(-1)
	if at >= 0 {
		off = at * m.x.block
	}
	size := n * m.x.block
	if k := len(m.list) - 1; k >= 0 && off >= 0 && m.list[k].offset >= 0 && m.list[k].offset+m.list[k].size == off {
		m.list[k].size += size
	} else {
		m.list = append(m.list, extent{off, size})
	}
	m.next = logical + n
	return nil
}

// hole fills with zeros up to a logical block.
func (m *blockMap) hole(to int64) {
	if to > m.next {
		m.list = append(m.list, extent{-1, (to - m.next) * m.x.block})
		m.next = to
	}
}

func (m *blockMap) node(at int64) ([]byte, error) {
	if m.budget--; m.budget < 0 || at > m.x.d.size/m.x.block {
		return nil, m.x.d.m.fail("malformed ext: block tree")
	}
	return m.x.d.read(at*m.x.block, m.x.block)
}

// tree reads a node of an extent tree.
func (m *blockMap) tree(b []byte, depth int) error {
	le := binary.LittleEndian
	count := int(le.Uint16(b[2:]))
	if le.Uint16(b) != 0xf30a || 12+12*count > len(b) || depth > 5 || int(le.Uint16(b[6:]))+depth > 5 {
		return m.x.d.m.fail("malformed ext: extent tree")
	}
	leaf := le.Uint16(b[6:]) == 0
	for i := range count {
		e := b[12+12*i:]
		if leaf {
			n, at := int64(le.Uint16(e[4:])), int64(le.Uint16(e[6:]))<<32|int64(le.Uint32(e[8:]))
			if n > 32768 { // not written yet: reads as zeros
				n, at = n-32768, -1
			}
			if err := m.put(int64(le.Uint32(e)), at, n); err != nil {
				return err
			}
			continue
		}
		below, err := m.node(int64(le.Uint32(e[4:])) | int64(le.Uint16(e[8:]))<<32)
		if err != nil {
			return err
		}
		if err := m.tree(below, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// classic reads the block map of ext2: twelve direct blocks, then one, two and three levels of indirect ones.
func (m *blockMap) classic(b []byte) error {
	for i := range 12 {
		if err := m.indirect(binary.LittleEndian.Uint32(b[4*i:]), 0); err != nil {
			return err
		}
	}
	for level := 1; level <= 3 && m.next < m.blocks; level++ {
		if err := m.indirect(binary.LittleEndian.Uint32(b[44+4*level:]), level); err != nil {
			return err
		}
	}
	return nil
}

func (m *blockMap) indirect(at uint32, level int) error {
	span := int64(1)
	for range level {
		span *= m.x.block / 4
	}
	switch {
	case m.next >= m.blocks:
		return nil
	case at == 0:
		m.hole(min(m.next+span, m.blocks))
		return nil
	case level == 0:
		return m.put(m.next, int64(at), 1)
	}
	b, err := m.node(int64(at))
	if err != nil {
		return err
	}
	for i := 0; i < len(b) && m.next < m.blocks; i += 4 {
		if err := m.indirect(binary.LittleEndian.Uint32(b[i:]), level-1); err != nil {
			return err
		}
	}
	return nil
}

// xattrs reads extended attributes from behind the inode and from its block of them.
func (x *extReader) xattrs(i *inode) (map[string]string, error) {
	out := map[string]string{}
	le := binary.LittleEndian
	if len(i.raw) > 132 {
		if at := 128 + int(le.Uint16(i.raw[128:])); at+4 <= len(i.raw) && le.Uint32(i.raw[at:]) == 0xea020000 {
			xattrEntries(out, i.raw[at+4:], i.raw[at+4:])
		}
	}
	if i.attributes > 0 && i.attributes <= x.d.size/x.block {
		b, err := x.d.read(i.attributes*x.block, x.block)
		if err != nil {
			return nil, err
		}
		if le.Uint32(b) == 0xea020000 {
			xattrEntries(out, b[32:], b)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

var xattrPrefix = map[byte]string{1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.", 6: "security.", 7: "system."}

// xattrEntries reads entries; values lie relative to base. One that does not hold together is named all the same.
func xattrEntries(out map[string]string, b, base []byte) {
	le := binary.LittleEndian
	for len(b) >= 16 && le.Uint32(b) != 0 {
		n := int(b[0])
		if 16+n > len(b) {
			return
		}
		name := xattrPrefix[b[1]] + string(b[16:16+n])
		at, size := int(le.Uint16(b[2:])), int(le.Uint32(b[8:]))
		value := ""
		if size >= 0 && at <= len(base) && size <= len(base)-at {
			value = string(base[at : at+size])
		}
		out[name] = value
		b = b[min(len(b), (16+n+3)&^3):]
	}
}
