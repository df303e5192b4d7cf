package wallclock

import "encoding/binary"

// Fields of an instruction that hold a distance, in instructions.
const (
	distance26 = iota + 1 // b
	distance19            // b.cond, cbz, cbnz
	distance14            // tbz, tbnz
)

// word appends an instruction.
func (c *code) word(list ...uint32) {
	for _, w := range list {
		c.bytes = binary.LittleEndian.AppendUint32(c.bytes, w)
	}
}

// branch appends one that goes to a label.
func (c *code) branch(w uint32, kind int, label string) {
	c.jumps = append(c.jumps, jump{len(c.bytes), label, kind})
	c.word(w)
}

// link fills the branches in.
func (c *code) link() {
	for _, j := range c.jumps {
		d := uint32((c.labels[j.label] - j.at) / 4)
		w := binary.LittleEndian.Uint32(c.bytes[j.at:])
		switch j.kind {
		case distance26:
			w |= d & (1<<26 - 1)
		case distance19:
			w |= d & (1<<19 - 1) << 5
		case distance14:
			w |= d & (1<<14 - 1) << 5
		}
		binary.LittleEndian.PutUint32(c.bytes[j.at:], w)
	}
}

// adr leaves the address of something outside of the code in a register.
func (c *code) adr(place string, d uint32) {
	away := uint32(c.o.places[place] - c.o.code - uint64(len(c.bytes)))
	c.word(0x10000000 | away&3<<29 | away>>2&(1<<19-1)<<5 | d)
}

const (
	sp  = 31
	x29 = 29
	x30 = 30

	svc    = 0xd4000001
	ret    = 0xd65f03c0
	condHI = 8
	condLT = 11
)

func movz(d, n uint32) uint32      { return 0xd2800000 | n<<5 | d }
func mov(d, m uint32) uint32       { return 0xaa0003e0 | m<<16 | d }
func movW(d, m uint32) uint32      { return 0x2a0003e0 | m<<16 | d }
func ldr(t, n, off uint32) uint32  { return 0xf9400000 | off/8<<10 | n<<5 | t }
func str(t, n, off uint32) uint32  { return 0xf9000000 | off/8<<10 | n<<5 | t }
func add(d, n, m uint32) uint32    { return 0x8b000000 | m<<16 | n<<5 | d }
func sub(d, n, m uint32) uint32    { return 0xcb000000 | m<<16 | n<<5 | d }
func addN(d, n, imm uint32) uint32 { return 0x91000000 | imm<<10 | n<<5 | d }
func subN(d, n, imm uint32) uint32 { return 0xd1000000 | imm<<10 | n<<5 | d }
func cmp(n, m uint32) uint32       { return 0xeb00001f | m<<16 | n<<5 }
func cmpWN(n, imm uint32) uint32   { return 0x7100001f | imm<<10 | n<<5 }
func blr(n uint32) uint32          { return 0xd63f0000 | n<<5 }
func cbz(t uint32) uint32          { return 0xb4000000 | t }
func cbnz(t uint32) uint32         { return 0xb5000000 | t }
func cbnzW(t uint32) uint32        { return 0x35000000 | t }

// push makes room below the stack and keeps x29 and x30 at its lower end; pop takes both back.
func push(size int32) uint32 { return 0xa9800000 | uint32(-size/8)&0x7f<<15 | x30<<10 | sp<<5 | x29 }
func pop(size int32) uint32  { return 0xa8c00000 | uint32(size/8)&0x7f<<15 | x30<<10 | sp<<5 | x29 }

// arm64 writes the functions by the procedure call standard of AArch64: arguments in x0 to x5; a system call takes its number in
// x8, leaves all but x0 alone, and answers with a negative error.
func arm64(o *object) []byte {
	c := newCode(o)
	c.clockGettime64()
	c.gettimeofday64()
	c.time64()
	c.timespecGet64()
	c.failed64()
	for _, w := range o.waits() {
		c.wait64(w)
	}
	c.link()
	return c.bytes
}

// ahead64 leaves in x9 what the shift says, or goes to a label where the program is left with the kernel's time.
func (c *code) ahead64(otherwise string) {
	if !c.o.shift.Waits {
		c.adr("got pthread_create", 9)
		c.word(ldr(9, 9, 0))
		c.branch(cbnz(9), distance19, otherwise)
	}
	n := uint64(c.o.shift.Seconds)
	c.word(movz(9, uint32(n&0xffff)))
	for i := uint32(1); i < 4; i++ {
		c.word(0xf2800000 | i<<21 | uint32(n>>(16*i)&0xffff)<<5 | 9) // movk x9, …, lsl
	}
}

// move64 moves the time that a register points to.
func (c *code) move64(at uint32, otherwise string) {
	c.ahead64(otherwise)
	if c.o.shift.Still {
		c.word(str(9, at, 0), str(sp, at, 8)) // as data, 31 is zero
		return
	}
	c.word(ldr(12, at, 0), add(12, 12, 9), str(12, at, 0))
}

func (c *code) clockGettime64() {
	c.function("clock_gettime")
	c.word(movW(11, 0), movz(8, 113), svc)
	c.branch(0x37f80000, distance14, "failed") // tbnz w0, #31
	c.word(cmpWN(11, 11))                      // CLOCK_TAI
	c.branch(0x54000000|condHI, distance19, "done")
	// x12 = the clocks that tell the time of day; shifted by the clock's number, the lowest bit says whether it is one
	c.word(movz(12, 0x921), 0x1ac02400|11<<16|12<<5|12) // lsrv w12, w12, w11
	c.branch(0x36000000|12, distance14, "done")         // tbz w12, #0
	c.move64(1, "done")
	c.label("done")
	c.word(movz(0, 0), ret)
}

func (c *code) gettimeofday64() {
	c.function("gettimeofday")
	c.word(mov(11, 0), movz(8, 169), svc)
	c.branch(0x37f80000, distance14, "failed") // tbnz w0, #31
	c.branch(cbz(11), distance19, "done")
	c.move64(11, "done")
	c.branch(0x14000000, distance26, "done")
}

func (c *code) time64() {
	c.function("time")
	c.word(mov(11, 0), subN(sp, sp, 16), movz(0, 5), addN(1, sp, 0), movz(8, 113), svc) // CLOCK_REALTIME_COARSE
	c.word(addN(1, sp, 0))
	c.move64(1, "told")
	c.label("told")
	c.word(ldr(0, sp, 0), addN(sp, sp, 16))
	c.branch(cbz(11), distance19, "time ret")
	c.word(str(0, 11, 0))
	c.label("time ret")
	c.word(ret)
}

func (c *code) timespecGet64() {
	c.function("timespec_get")
	c.word(0x51000000|1<<10|1<<5|11, cmpWN(11, 3)) // sub w11, w1, #1
	c.branch(0x54000000|condHI, distance19, "none")
	c.word(movW(13, 1), mov(1, 0), movW(0, 11), movz(8, 113), svc)
	c.branch(cbnzW(0), distance19, "none")
	c.branch(cbnzW(11), distance19, "as it is")
	c.move64(1, "as it is")
	c.label("as it is")
	c.word(movW(0, 13), ret)
	c.label("none")
	c.word(movz(0, 0), ret)
}

// failed64 sets errno to what w0 says, and returns -1.
func (c *code) failed64() {
	c.label("failed")
	c.word(push(32), str(0, sp, 16))
	c.adr("got __errno_location", 9)
	c.word(ldr(9, 9, 0))
	c.branch(cbz(9), distance19, "no errno")
	c.word(blr(9), ldr(1, sp, 16), 0x4b0003e0|1<<16|1, 0xb9000001) // neg w1, w1; str w1, [x0]
	c.label("no errno")
	c.word(pop(32), 0x12800000, ret) // mov w0, #-1
}

// wait64 moves the moment back where it is one that the program was told, and calls the function that comes next. On the stack, from
// below: x29, x30, six arguments, the kernel's time, what the moved moment stands in.
func (c *code) wait64(w wait) {
	const arguments, now, moved, size = 16, 64, 80, 128
	saved, off := uint32(arguments+8*w.argument), uint32(w.offset)
	next, call, none, out := w.name+" next", w.name+" call", w.name+" none", w.name+" out"
	c.function(w.name)
	c.word(push(size))
	for i := range uint32(6) {
		c.word(str(i, sp, arguments+8*i))
	}
	c.word(ldr(11, sp, saved))
	c.branch(cbz(11), distance19, next)
	c.word(movz(0, 5), addN(1, sp, now), movz(8, 113), svc, ldr(10, sp, now))
	c.ahead64(next)
	if c.o.shift.Still {
		c.word(sub(9, 9, 10)) // how far ahead that is now
	}
	c.word(0x9341fc00|9<<5|12, add(10, 10, 12), ldr(12, 11, off), cmp(12, 10)) // asr x12, x9, #1
	c.branch(0x54000000|condLT, distance19, next)
	for i := uint32(0); i < off+16; i += 8 {
		c.word(ldr(13, 11, i), str(13, sp, moved+i))
	}
	c.word(ldr(13, sp, moved+off), sub(13, 13, 9), str(13, sp, moved+off), addN(13, sp, moved), str(13, sp, saved))
	c.label(next)
	c.adr("slot "+w.name, 14)
	c.word(ldr(9, 14, 0))
	c.branch(cbnz(9), distance19, call)
	c.adr("got dlsym", 9)
	c.word(ldr(9, 9, 0))
	c.branch(cbz(9), distance19, none)
	c.word(0x92800000) // mov x0, RTLD_NEXT
	c.adr("name "+w.name, 1)
	c.word(blr(9))
	c.branch(cbz(0), distance19, none)
	c.adr("slot "+w.name, 14)
	c.word(str(0, 14, 0), mov(9, 0))
	c.label(call)
	for i := range uint32(6) {
		c.word(ldr(i, sp, arguments+8*i))
	}
	c.word(blr(9))
	c.label(out)
	c.word(pop(size), ret)
	c.label(none)
	c.word(movz(0, 38)) // ENOSYS
	c.branch(0x14000000, distance26, out)
}
