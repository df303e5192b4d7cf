package wallclock

import "encoding/binary"

// code is machine code with jumps that are filled in when it is whole.
type code struct {
	o      *object
	bytes  []byte
	labels map[string]int
	jumps  []jump
}

// jump is a place that holds the distance to a label.
type jump struct {
	at    int
	label string
	kind  int // arm64: which field of the instruction
}

func newCode(o *object) *code { return &code{o: o, labels: map[string]int{}} }

func (c *code) label(name string) { c.labels[name] = len(c.bytes) }

// function begins one that programs see.
func (c *code) function(name string) {
	c.label(name)
	c.o.places[name] = c.o.code + uint64(len(c.bytes))
}

func (c *code) put(b ...byte) { c.bytes = append(c.bytes, b...) }

// to appends an instruction that ends in the distance to a label.
func (c *code) to(label string, b ...byte) {
	c.put(b...)
	c.jumps = append(c.jumps, jump{at: len(c.bytes), label: label})
	c.put(0, 0, 0, 0)
}

// data appends an instruction that ends in the distance to something outside of the code.
func (c *code) data(place string, b ...byte) {
	c.put(b...)
	next := c.o.code + uint64(len(c.bytes)) + 4
	c.bytes = binary.LittleEndian.AppendUint32(c.bytes, uint32(c.o.places[place]-next))
}

// amd64 writes the functions by the System V calling convention: arguments in rdi, rsi, rdx, rcx, r8, r9; a system call takes its
// number in eax, leaves all but rax, rcx and r11 alone, and answers with a negative error.
func amd64(o *object) []byte {
	c := newCode(o)
	c.clockGettime()
	c.gettimeofday()
	c.time()
	c.timespecGet()
	c.failed()
	c.ahead()
	for _, w := range o.waits() {
		c.wait(w)
	}
	for _, j := range c.jumps {
		binary.LittleEndian.PutUint32(c.bytes[j.at:], uint32(c.labels[j.label]-j.at-4))
	}
	return c.bytes
}

// move moves the time that rdi or rsi points to, with seconds and a fraction, as the shift says.
func (c *code) move(register byte) {
	if c.o.shift.Still {
		c.to("ahead", 0xe8)                             // call ahead
		c.put(0x48, 0x85, 0xd2, 0x74, 0x0b)             // test rdx, rdx; jz over the next two
		c.put(0x48, 0x89, 0x10|register)                // mov [register], rdx
		c.put(0x48, 0xc7, 0x40|register, 8, 0, 0, 0, 0) // mov qword [register+8], 0
		return
	}
	c.to("ahead", 0xe8)
	c.put(0x48, 0x01, 0x10|register) // add [register], rdx
}

const (
	rsi = 6
	rdi = 7
)

func (c *code) clockGettime() {
	c.function("clock_gettime")
	c.put(0xb8, 228, 0, 0, 0)     // mov eax, SYS_clock_gettime
	c.put(0x0f, 0x05)             // syscall
	c.put(0x85, 0xc0)             // test eax, eax
	c.to("failed", 0x0f, 0x88)    // js
	c.put(0x83, 0xff, 11)         // cmp edi, CLOCK_TAI
	c.to("done", 0x0f, 0x87)      // ja: a clock of a process is a negative number
	c.put(0xb9, 0x21, 0x09, 0, 0) // mov ecx, 1<<CLOCK_REALTIME | 1<<CLOCK_REALTIME_COARSE | 1<<CLOCK_REALTIME_ALARM | 1<<CLOCK_TAI
	c.put(0x0f, 0xa3, 0xf9)       // bt ecx, edi
	c.to("done", 0x0f, 0x83)      // jnc
	c.move(rsi)
	c.label("done")
	c.put(0x31, 0xc0, 0xc3) // xor eax, eax; ret
}

func (c *code) gettimeofday() {
	c.function("gettimeofday")
	c.put(0xb8, 96, 0, 0, 0, 0x0f, 0x05) // mov eax, SYS_gettimeofday; syscall
	c.put(0x85, 0xc0)                    // test eax, eax
	c.to("failed", 0x0f, 0x88)           // js
	c.put(0x48, 0x85, 0xff)              // test rdi, rdi
	c.to("done", 0x0f, 0x84)             // jz
	c.move(rdi)
	c.to("done", 0xe9)
}

// time keeps what the kernel says in the red zone below the stack, under the return address of a call.
func (c *code) time() {
	c.function("time")
	c.put(0x49, 0x89, 0xf8)               // mov r8, rdi
	c.put(0xbf, 5, 0, 0, 0)               // mov edi, CLOCK_REALTIME_COARSE
	c.put(0x48, 0x8d, 0x74, 0x24, 0xe8)   // lea rsi, [rsp-24]
	c.put(0xb8, 228, 0, 0, 0, 0x0f, 0x05) // mov eax, SYS_clock_gettime; syscall
	c.move(rsi)
	c.put(0x48, 0x8b, 0x06)       // mov rax, [rsi]
	c.put(0x4d, 0x85, 0xc0)       // test r8, r8
	c.put(0x74, 0x03)             // jz over the next
	c.put(0x49, 0x89, 0x00, 0xc3) // mov [r8], rax; ret
}

// timespecGet knows that the bases of glibc are the numbers of its clocks, from 1.
func (c *code) timespecGet() {
	c.function("timespec_get")
	c.put(0x44, 0x8d, 0x46, 0xff)                     // lea r8d, [rsi-1]
	c.put(0x41, 0x83, 0xf8, 3)                        // cmp r8d, 3
	c.to("none", 0x0f, 0x87)                          // ja
	c.put(0x41, 0x89, 0xf1)                           // mov r9d, esi
	c.put(0x48, 0x89, 0xfe, 0x44, 0x89, 0xc7)         // mov rsi, rdi; mov edi, r8d
	c.put(0xb8, 228, 0, 0, 0, 0x0f, 0x05, 0x85, 0xc0) // mov eax, SYS_clock_gettime; syscall; test eax, eax
	c.to("none", 0x0f, 0x85)                          // jnz
	c.put(0x45, 0x85, 0xc0)                           // test r8d, r8d
	c.to("as it is", 0x0f, 0x85)                      // jnz
	c.move(rsi)
	c.label("as it is")
	c.put(0x44, 0x89, 0xc8, 0xc3) // mov eax, r9d; ret
	c.label("none")
	c.put(0x31, 0xc0, 0xc3) // xor eax, eax; ret
}

// failed sets errno to what eax says, and returns -1.
func (c *code) failed() {
	c.label("failed")
	c.put(0x50)                                      // push rax: the stack is aligned now
	c.data("got __errno_location", 0x48, 0x8b, 0x05) // mov rax, [rip+…]
	c.put(0x48, 0x85, 0xc0, 0x74, 0x09)              // test rax, rax; jz over the next four
	c.put(0xff, 0xd0, 0x8b, 0x0c, 0x24, 0xf7, 0xd9)  // call rax; mov ecx, [rsp]; neg ecx
	c.put(0x89, 0x08)                                // mov [rax], ecx
	c.put(0x59, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xc3)  // pop rcx; mov eax, -1; ret
}

// ahead leaves in rdx what the shift says, 0 where the program is left with the kernel's time, and changes nothing else.
func (c *code) ahead() {
	c.label("ahead")
	if !c.o.shift.Waits {
		c.data("got pthread_create", 0x48, 0x8b, 0x15) // mov rdx, [rip+…]
		c.put(0x48, 0x85, 0xd2, 0xba, 0, 0, 0, 0)      // test rdx, rdx; mov edx, 0
		c.put(0x75, 0x0a)                              // jnz over the next
	}
	c.put(0x48, 0xba) // mov rdx, imm64
	c.bytes = binary.LittleEndian.AppendUint64(c.bytes, uint64(c.o.shift.Seconds))
	c.put(0xc3)
}

// wait moves the moment back where it is one that the program was told, and calls the function that comes next.
func (c *code) wait(w wait) {
	saved := byte(-8 * (w.argument + 1)) // below rbp
	next, call, none := w.name+" next", w.name+" call", w.name+" none"
	c.function(w.name)
	c.put(0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 112) // push rbp; mov rbp, rsp; sub rsp, 112
	c.arguments(0x89)
	c.put(0x4c, 0x8b, 0x45, saved)            // mov r8, [rbp-…]
	c.put(0x4d, 0x85, 0xc0)                   // test r8, r8
	c.to(next, 0x0f, 0x84)                    // jz
	c.put(0xbf, 5, 0, 0, 0, 0x48, 0x89, 0xe6) // mov edi, CLOCK_REALTIME_COARSE; mov rsi, rsp
	c.put(0xb8, 228, 0, 0, 0, 0x0f, 0x05)     // mov eax, SYS_clock_gettime; syscall
	c.to("ahead", 0xe8)                       // call
	if c.o.shift.Still {
		c.put(0x48, 0x2b, 0x14, 0x24) // sub rdx, [rsp]: how far ahead that is now
	}
	c.put(0x48, 0x89, 0xd0, 0x48, 0xd1, 0xf8) // mov rax, rdx; sar rax, 1
	c.put(0x48, 0x03, 0x04, 0x24)             // add rax, [rsp]
	c.put(0x49, 0x39, 0x40, byte(w.offset))   // cmp [r8+offset], rax
	c.to(next, 0x0f, 0x8c)                    // jl
	for i := 0; i < w.offset+16; i += 8 {
		c.put(0x49, 0x8b, 0x40, byte(i), 0x48, 0x89, 0x44, 0x24, byte(32+i)) // mov rax, [r8+i]; mov [rsp+32+i], rax
	}
	c.put(0x48, 0x29, 0x54, 0x24, byte(32+w.offset)) // sub [rsp+32+offset], rdx
	c.put(0x48, 0x8d, 0x44, 0x24, 32)                // lea rax, [rsp+32]
	c.put(0x48, 0x89, 0x45, saved)                   // mov [rbp-…], rax
	c.label(next)
	c.data("slot "+w.name, 0x48, 0x8b, 0x05)        // mov rax, [rip+…]
	c.put(0x48, 0x85, 0xc0)                         // test rax, rax
	c.to(call, 0x0f, 0x85)                          // jnz
	c.data("got dlsym", 0x48, 0x8b, 0x05)           // mov rax, [rip+…]
	c.put(0x48, 0x85, 0xc0)                         // test rax, rax
	c.to(none, 0x0f, 0x84)                          // jz
	c.put(0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff) // mov rdi, RTLD_NEXT
	c.data("name "+w.name, 0x48, 0x8d, 0x35)        // lea rsi, [rip+…]
	c.put(0xff, 0xd0)                               // call rax
	c.data("slot "+w.name, 0x48, 0x89, 0x05)        // mov [rip+…], rax
	c.put(0x48, 0x85, 0xc0)                         // test rax, rax
	c.to(none, 0x0f, 0x84)                          // jz
	c.label(call)
	c.arguments(0x8b)
	c.put(0xff, 0xd0, 0xc9, 0xc3) // call rax; leave; ret
	c.label(none)
	c.put(0xb8, 38, 0, 0, 0, 0xc9, 0xc3) // mov eax, ENOSYS; leave; ret
}

// arguments saves the six of them below rbp, or takes them from there.
func (c *code) arguments(mov byte) {
	c.put(0x48, mov, 0x7d, 0xf8, 0x48, mov, 0x75, 0xf0, 0x48, mov, 0x55, 0xe8) // rdi, rsi, rdx
	c.put(0x48, mov, 0x4d, 0xe0, 0x4c, mov, 0x45, 0xd8, 0x4c, mov, 0x4d, 0xd0) // rcx, r8, r9
}
