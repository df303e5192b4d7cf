package wire_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := errors.Join(wire.Write(&b, wire.KindData, []byte("abc")), wire.Send(&b, wire.KindRun, wire.Step{Dir: "/x"})); err != nil {
		t.Fatal(err)
	}
	kind, data, err := wire.Read(&b, 3)
	if kind != wire.KindData || string(data) != "abc" || err != nil {
		t.Error(kind, data, err)
	}
	kind, data, err = wire.Read(&b, 1000)
	var step wire.Step
	if err := errors.Join(err, wire.Unmarshal(data, &step)); kind != wire.KindRun || step.Dir != "/x" || err != nil {
		t.Error(kind, data, err)
	}
	if _, _, err := wire.Read(&b, 1000); err != io.EOF {
		t.Error(err)
	}
}

func TestFramesThatAreNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"d\x04\x00\x00\x00abcd": nil, // longer than allowed
		"d\x03\x00\x00\x00ab":   io.ErrUnexpectedEOF,
		"d\x03\x00\x00\x00":     io.ErrUnexpectedEOF,
		"d\x03":                 io.ErrUnexpectedEOF,
		"d\xff\xff\xff\xffx":    nil,
	} {
		_, _, err := wire.Read(strings.NewReader(text), 3)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// messages holds one of every message that crosses the socket, with every kind of field filled.
func messages() []any {
	return []any{
		&wire.Setup{
			Version: wire.Version, Identity: wire.Identity{Hostname: "h", UID: 1000, CPUs: 2, BootOffset: -5, FixedAddresses: true},
			Mounts: []wire.Mount{{Kind: wire.Overlay, Source: "/s", Target: "/t", Device: 1 << 63, Inode: 7}, {Kind: wire.Scratch, Size: 1 << 40}},
			Dirs:   []string{"/a", ""}, Files: []wire.File{{Path: "/f", Mode: 0o644, Data: []byte{0, 255}}},
			Budget: 1 << 50, Asking: []byte{1, 2, 3}, Rlimits: []wire.Rlimit{{Resource: 7, Value: ^uint64(0)}}, Watch: wire.Watch{CPU: 9},
		},
		&wire.Ready{Checks: []wire.Check{{Name: "n", OK: true, Detail: "d\xff"}}, Notes: []wire.Note{{Name: "a"}}, Listeners: 1, Notify: true},
		&wire.Step{Argv: []string{"a", ""}, Env: []string{"X=1"}, Dir: "/", Terminal: true, Rows: 65535},
		&wire.Started{Serial: 255}, &wire.Signal{Number: -9}, &wire.Exited{Code: 1, CPU: 1 << 40, Limit: "cpu", Full: true},
		&wire.Collect{Path: "/out", Files: 3, Bytes: 4}, &wire.ReadFile{Path: "/p", Limit: 5},
		&wire.Entry{Path: []byte("p\x00"), Kind: wire.EntryLink, Mode: 0o7777, ModTime: -1, Link: []byte("l"), Content: true},
		&wire.End{Fault: &wire.Fault{Stage: "s", Errno: 2, Missing: true}}, &wire.End{},
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, m := range messages() {
		data, err := wire.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(m).Elem()).Interface()
		if err := wire.Unmarshal(data, back); err != nil || !reflect.DeepEqual(m, back) {
			t.Errorf("%#v became %#v: %v", m, back, err)
		}
		for _, bad := range [][]byte{append(bytes.Clone(data), 0), data[:len(data)-1]} {
			if err := wire.Unmarshal(bad, reflect.New(reflect.TypeOf(m).Elem()).Interface()); err == nil {
				t.Errorf("%T of %x was taken", m, bad)
			}
		}
	}
	for _, bad := range []string{
		"\xff\xff\xff\xff\x0f",                          // more strings than bytes
		"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7fa", // a text longer than every number
		"\x00\x00\x00\x02\x00\x00",                      // neither true nor false
		"\x00\x00\x00\x00\x80\x80\x04\x00",              // rows of 65536
	} {
		if err := wire.Unmarshal([]byte(bad), new(wire.Step)); err == nil {
			t.Errorf("%x was taken", bad)
		}
	}
}

// FuzzUnmarshal wants what is taken to say the same when it is sent again.
func FuzzUnmarshal(f *testing.F) {
	for i, m := range messages() {
		data, err := wire.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		all := messages()
		kind := reflect.TypeOf(all[int(which)%len(all)]).Elem()
		first, second := reflect.New(kind).Interface(), reflect.New(kind).Interface()
		if wire.Unmarshal(data, first) != nil {
			return
		}
		again, err := wire.Marshal(first)
		if err != nil || wire.Unmarshal(again, second) != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%x: %#v became %#v: %v", data, first, second, err)
		}
	})
}

// FuzzRead wants nothing longer than the bound, and what is read to be what was written.
func FuzzRead(f *testing.F) {
	f.Add([]byte("d\x03\x00\x00\x00abc"))
	f.Add([]byte("d\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		const limit = 64
		kind, data, err := wire.Read(bytes.NewReader(text), limit)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := wire.Write(&b, kind, data); err != nil || len(data) > limit || !bytes.HasPrefix(text, b.Bytes()) {
			t.Errorf("%q became %q", text, b.Bytes())
		}
	})
}
