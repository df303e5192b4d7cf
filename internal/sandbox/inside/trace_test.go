//go:build linux

package inside

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTraceEvents feeds the trace what the kernel may say.
func TestTraceEvents(t *testing.T) {
	t.Parallel()
	event := func(wd int32, what uint32, name string) []byte {
		b := binary.NativeEndian.AppendUint32(nil, uint32(wd))
		b = binary.NativeEndian.AppendUint32(b, what)
		b = binary.NativeEndian.AppendUint32(b, 0)
		b = binary.NativeEndian.AppendUint32(b, uint32(len(name)))
		return append(b, name...)
	}
	for _, c := range []struct {
		name   string
		events []byte
		opened bool
		lost   bool
	}{
		{"opened", event(1, unix.IN_OPEN, "file\x00\x00\x00"), true, false},
		{"moved", event(1, unix.IN_MOVED_FROM, "file\x00"), true, false},
		{"another folder", event(2, unix.IN_OPEN, "file\x00"), false, false},
		{"made by the step", event(1, unix.IN_OPEN, "new\x00"), false, false},
		{"the folder itself", event(1, unix.IN_OPEN|unix.IN_ISDIR, ""), false, false},
		{"the folder is gone", event(1, unix.IN_IGNORED, ""), false, false},
		{"overflow", append(event(-1, unix.IN_Q_OVERFLOW, ""), event(1, unix.IN_OPEN, "file\x00")...), true, true},
		{"cut off", event(1, unix.IN_OPEN, "file\x00")[:18], false, false},
		{"nothing", nil, false, false},
	} {
		f := &folder{path: "/input", files: map[string]bool{"file": false}}
		tr := &trace{fd: -1, watched: map[int32]*folder{1: f}}
		tr.take(c.events)
		if f.files["file"] != c.opened || (tr.why != "") != c.lost || len(f.files) != 1 {
			t.Errorf("%s: %v, %q", c.name, f.files, tr.why)
		}
	}
}
