package code

// neighbours covers data that nothing refers to by what lies beside it: a number that only looks like an address
// divides data at different places on both sides, and what follows data that was paired belongs to what follows its
// partner. It counts as the same only when it is.
func (c *comparison) neighbours() {
	back := make([][]int32, len(c.db.parts))
	for p := range c.da.parts {
		pa := &c.da.parts[p]
		pb := c.otherPart(pa)
		if pb == nil || pa.zero || pb.zero {
			continue
		}
		back[pb.id] = make([]int32, len(pb.start))
		for i, j := range pa.match {
			if k, ok := pb.own(j); ok && pa.covered(i) > 0 {
				back[pb.id][k] = pa.number(i)
			}
		}
		same := func(a, b uint64, x, y []byte) bool { return c.loose(pair{a, b}, x, y) }
		pa.follow(pb, pa.match, same)
		pb.follow(pa, back[pb.id], func(b, a uint64, y, x []byte) bool { return c.loose(pair{a, b}, x, y) })
	}
	c.drain()
}

// follow covers objects of p from front to back and from back to front, match telling the partners in q.
func (p *dataPart) follow(q *dataPart, match []int32, same func(mine, other uint64, x, y []byte) bool) {
	at, known := uint64(0), false // where in q the partner of the next byte of p is
	for i := range p.start {
		b := p.object(i, 0)
		done := p.covered(i)
		if j, ok := q.own(match[i]); ok && done > 0 {
			at, known = q.addr(j)+uint64(done), true
		} else if done > 0 {
			at += uint64(done)
		}
		if done >= len(b) {
			continue
		}
		rest := b[done:]
		if known = known && p.try(q, p.addr(i)+uint64(done), at, rest, same); known {
			p.done[i] = uint32(len(b))
			at += uint64(len(rest))
		}
	}
	known = false
	for i := len(p.start) - 1; i >= 0; i-- {
		b := p.object(i, 0)
		switch done := p.covered(i); {
		case done >= len(b):
			if j, ok := q.own(match[i]); ok {
				at, known = q.addr(j), true
			} else {
				at -= uint64(len(b))
			}
		case !known || at < q.s.addr+uint64(len(b)-done):
			known = false
		default:
			rest := b[done:]
			known = p.try(q, p.addr(i)+uint64(done), at-uint64(len(rest)), rest, same)
			if known {
				p.done[i] = uint32(len(b))
				at -= uint64(len(b))
			}
		}
	}
}

// covered returns how many bytes of an object have their equal in the other program.
func (p *dataPart) covered(i int) int {
	if p.done[i] == differs {
		return 0
	}
	return int(p.done[i])
}

// try compares a piece with what lies at its place in q. Where a number that only looks like an address cuts a word in
// two, whole words around the piece are compared.
func (p *dataPart) try(q *dataPart, mine, other uint64, rest []byte, same func(mine, other uint64, x, y []byte) bool) bool {
	off := other - q.s.addr
	if other < q.s.addr || off+uint64(len(rest)) > uint64(len(q.s.data)) {
		return false
	}
	if same(mine, other, rest, q.s.data[off:off+uint64(len(rest))]) {
		return true
	}
	const word = 8
	from := mine - p.s.addr
	before, after := mine%word, -(mine+uint64(len(rest)))%word
	if (mine-other)%word != 0 || before+after == 0 || before > from || before > off {
		return false
	}
	end := from + uint64(len(rest)) + after
	if end > uint64(len(p.s.data)) || off+uint64(len(rest))+after > uint64(len(q.s.data)) {
		return false
	}
	return same(mine-before, other-before, p.s.data[from-before:end], q.s.data[off-before:off+uint64(len(rest))+after])
}
