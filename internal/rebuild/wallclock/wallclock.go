// Package wallclock makes a shared object that a dynamic loader lays before the C library, so that programs are told another
// time of day. It is written byte by byte here: no compiler, no C library, no foreign code.
//
// What it promises:
//
//   - clock_gettime, gettimeofday, time and timespec_get ask the kernel and move what it says: by a number of seconds, or to a
//     moment at which the clock stands still. Clocks that do not tell the time of day are left alone.
//   - Functions that wait until a moment of that clock, which a program works out from what it was told, wait as long as they
//     would have. Without that, a program told a later time would wait for it for months.
//   - Nothing else changes: times of files are the kernel's, and so is the time of a program that asks it without the C
//     library: of a static one, or of one written in Go.
//
// The object follows the ELF gABI with a DT_HASH table, without symbol versions: a loader takes an unversioned definition for
// any version that is asked for (glibc, elf/dl-lookup.c; musl knows no versions). It names no library that it needs.
package wallclock

import "slices"

// Shift says what programs are told.
type Shift struct {
	Seconds int64 // by which the clock is ahead; where it stands still, the second at which it does
	Still   bool
	// Waits says that the C library itself has dlsym, through which the functions that wait are found: musl always has, glibc from 2.34
	// on. Without it, a program with threads is left with the kernel's time.
	Waits bool
}

// Architectures for which Object works, as Go names them.
var Architectures = []string{"amd64", "arm64"}

// Object returns the shared object; nil for an architecture that is not among Architectures.
func Object(arch string, s Shift) []byte {
	if !slices.Contains(Architectures, arch) {
		return nil
	}
	write, machine := amd64, uint16(62) // EM_X86_64
	if arch == "arm64" {
		write, machine = arm64, 183 // EM_AARCH64
	}
	o := &object{shift: s, machine: machine}
	o.layOut(write)
	return o.bytes()
}

// wait is a function of the C library that waits until a moment.
type wait struct {
	name     string
	argument int // that points to the moment, from 0
	offset   int // of the moment's seconds in what it points to
}

// waits are those that POSIX and glibc have. A moment of another clock is small, since such clocks start with the machine, and
// is handed on as it is.
var waits = []wait{
	{"clock_nanosleep", 2, 0}, // without TIMER_ABSTIME it is a short time
	{"cnd_timedwait", 2, 0},
	{"mq_timedreceive", 4, 0},
	{"mq_timedsend", 4, 0},
	{"mtx_timedlock", 1, 0},
	{"pthread_clockjoin_np", 3, 0},
	{"pthread_cond_clockwait", 3, 0},
	{"pthread_cond_timedwait", 2, 0},
	{"pthread_mutex_clocklock", 2, 0},
	{"pthread_mutex_timedlock", 1, 0},
	{"pthread_rwlock_clockrdlock", 2, 0},
	{"pthread_rwlock_clockwrlock", 2, 0},
	{"pthread_rwlock_timedrdlock", 1, 0},
	{"pthread_rwlock_timedwrlock", 1, 0},
	{"pthread_timedjoin_np", 2, 0},
	{"sem_clockwait", 2, 0},
	{"sem_timedwait", 1, 0},
	{"timer_settime", 2, 16}, // struct itimerspec: the interval, then the moment
	{"timerfd_settime", 2, 16},
}

// asked are the functions that tell the time.
var asked = []string{"clock_gettime", "gettimeofday", "time", "timespec_get"}

// wanted are what the object takes from whoever has it; weak, so that it may be nobody.
var wanted = []string{"__errno_location", "dlsym", "pthread_create"}
