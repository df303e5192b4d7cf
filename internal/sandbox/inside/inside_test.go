//go:build linux

package inside

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

func TestCalledNeedsProcessOne(t *testing.T) {
	t.Parallel()
	if Called() || CalledAsGit() {
		t.Error("a test is called as the first process")
	}
}

func TestStatFields(t *testing.T) {
	t.Parallel()
	const tail = " S 1 1 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 5 0 100 1 77"
	for text, want := range map[string][3]int64{
		"7 (sh)" + tail:                       {100, 5, 77},
		"7 (a) R 1 (b c) )" + tail:            {100, 5, 77},
		"7 (sh) S 1":                          {},
		"":                                    {},
		"7 (sh) S" + strings.Repeat(" x", 40): {},
	} {
		ticks, threads, resident := statFields(text)
		if ticks != want[0] || int64(threads) != want[1] || resident != want[2] {
			t.Errorf("%q: %d, %d, %d", text, ticks, threads, resident)
		}
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`/a\040b`: "/a b", `/\134`: `/\`, "/plain": "/plain", `/x\04`: `/x\04`, `/x\999`: `/x\999`} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestNoCheckIsNoPass(t *testing.T) {
	t.Parallel()
	if firstBroken(nil) == nil || firstBroken([]wire.Check{{Name: "x"}}) == nil {
		t.Error("nothing was checked, and it passed")
	}
	if err := firstBroken([]wire.Check{{Name: "x", OK: true}}); err != nil {
		t.Error(err)
	}
}

func TestComplaints(t *testing.T) {
	t.Parallel()
	p := &process{root: root{writes: []string{"/out"}}}
	for _, c := range []struct {
		at, options, propagation string
		ok                       bool
	}{
		{"/out", "rw,nosuid,nodev", "-", true},
		{"/in", "ro,nosuid,nodev", "-", true},
		{"/dev/null", "ro,nosuid", "-", true},
		{"/in", "rw,nosuid,nodev", "-", false},
		{"/in", "ro,nodev", "-", false},
		{"/in", "ro,nosuid", "-", false},
		{"/in", "ro,nosuid,nodev", "shared:1", false},
		{"/in", "ro,nosuid,nodev", "master:1", false},
		{"/dev/null", "rw,nosuid", "-", false},
		{"/dev/sda", "ro,nosuid", "-", false},
	} {
		if why := p.complain(c.at, strings.Split(c.options, ","), c.propagation); (why == "") != c.ok {
			t.Errorf("%+v: %q", c, why)
		}
	}
}

func TestFaultsKeepWhatIsKnown(t *testing.T) {
	t.Parallel()
	f := asFault("x", failed("outer", failed("inner", unix.ENOENT)))
	if !f.Missing || f.Errno != int(unix.ENOENT) || f.What != "outer" {
		t.Errorf("%+v", f)
	}
	if f := asFault("x", failed("outer", blame("inner", "bad"))); !f.Blame || f.Message != "bad" {
		t.Errorf("%+v", f)
	}
	if f := asFault("x", failed("outer", exceeded("inner", "much"))); !f.Limit {
		t.Errorf("%+v", f)
	}
	if failed("x", nil) != nil || asFault("x", errors.New("plain")).Blame {
		t.Error("something out of nothing")
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{filepath.Join(dir, "p"): 0o755, filepath.Join(other, "p"): 0o755, filepath.Join(dir, "q"): 0o644} {
		if err := os.WriteFile(name, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	path := "PATH=relative:" + dir + "::" + other + ":" + dir
	for _, c := range []struct {
		name string
		env  []string
		want string
	}{
		{"p", []string{path}, dir + "/p"},
		{"p", []string{path, "PATH=" + other}, other + "/p"},
		{"./p", []string{path}, "./p"},
		{"q", []string{path}, "/proc/q: not found"},
		{"p", nil, "/proc/p: not found"},
	} {
		if got := find(c.name, c.env); got != c.want {
			t.Errorf("%s in %v: %v", c.name, c.env, got)
		}
	}
}

// TestBlock wants what does not fit to be refused, and everything else to lie where execve looks for it.
func TestBlock(t *testing.T) {
	t.Parallel()
	b, err := newBlock()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if err := b.fill("/bin/p", "/dir", []string{"p", "", "x y"}, []string{"A=1"}); err != nil {
		t.Fatal(err)
	}
	text := func(at uintptr) string {
		from := at - uintptr(unsafe.Pointer(unsafe.SliceData(b.memory)))
		return unix.ByteSliceToString(b.memory[from:])
	}
	last := b.calls()
	if text(last[callFolder].args[0]) != "/dir" || text(last[callExecute].args[0]) != "/bin/p" {
		t.Errorf("%+v", last)
	}
	argv := b.memory[last[callExecute].args[1]-uintptr(unsafe.Pointer(unsafe.SliceData(b.memory))):]
	for i, want := range []string{"p", "", "x y"} {
		if got := text(uintptr(binary.NativeEndian.Uint64(argv[8*i:]))); got != want {
			t.Errorf("argument %d is %q", i, got)
		}
	}
	if end := binary.NativeEndian.Uint64(argv[24:]); end != 0 {
		t.Errorf("the vector ends with %x", end)
	}
	if err := b.fill("/bin/p", "/", []string{strings.Repeat("x", blockSize)}, nil); !errors.Is(err, unix.E2BIG) {
		t.Error(err)
	}
}

// TestCopyRefuses wants a tree with a device, pipe or socket not to be copied.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	if err := unix.Mkfifo(filepath.Join(from, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := unix.Open(from, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(source)
	target, err := unix.Open(to, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(target)
	if f := asFault("copy", (copier{}).folder(source, target, "/x", 0)); !f.Blame {
		t.Errorf("%+v", f)
	}
	if f := asFault("copy", (copier{}).folder(source, target, "/x", maxCopyDepth+1)); !f.Limit {
		t.Errorf("%+v", f)
	}
}
