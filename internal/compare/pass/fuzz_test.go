package pass_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"strings"
	"testing"
)

// FuzzPass changes bytes of one side of an honest pair. Whatever the passes call equivalent must unpack, with readers of
// the standard library, to the same names, modes, owners, links and contents: no two different programs are equivalent.
func FuzzPass(f *testing.F) {
	var list []pair
	names := []string{"tar times", "tar pax times", "tar order", "tgz", "zip times", "zip order", "zip streams", "jar stored", "ar", "gzip stream"}
	all := pairs(f)
	for _, n := range names {
		list = append(list, all[n])
	}
	for i := range list {
		f.Add(byte(i), uint16(5), []byte{1, 2}, uint16(600), []byte("x"), false)
		f.Add(byte(i), uint16(136), []byte("00000000001\x00"), uint16(0), []byte{}, true)
	}
	f.Fuzz(func(t *testing.T, which byte, at uint16, with []byte, at2 uint16, with2 []byte, insert bool) {
		p := list[int(which)%len(list)]
		a := mutate(mutate(p.shipped, at, with, insert), at2, with2, false)
		if which&0x80 != 0 {
			a = retar(a)
		}
		out := judge(t, a, p.rebuilt)
		if back := judge(t, p.rebuilt, a); back.Equivalent != out.Equivalent {
			t.Fatalf("%v from one side, %v from the other: %q %q", out.Equivalent, back.Equivalent, out.Reason, back.Reason)
		}
		if !out.Equivalent {
			return
		}
		sums(t, out)
		one, two := unpack(a), unpack(p.rebuilt)
		if !maps.Equal(one, two) {
			t.Fatalf("equivalent, but unpacked they differ: %v %v", one, two)
		}
	})
}

func mutate(b []byte, at uint16, with []byte, insert bool) []byte {
	i := int(at) % (len(b) + 1)
	if insert {
		return append(append(bytes.Clone(b[:i]), with...), b[i:]...)
	}
	return patched(b, i, string(with))
}

// unpack reads with the standard library and leaves out what passes forgive: times, and the keys of a manifest.
func unpack(b []byte) map[string]string {
	m := make(map[string]string)
	if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		data, err := io.ReadAll(z)
		if err == nil {
			return unpack(data)
		}
	}
	if z, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err == nil {
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				continue
			}
			data, _ := io.ReadAll(r)
			m[f.Name+f.Mode().String()+f.Comment] += honest(f.Name, string(data))
		}
		return m
	}
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if err != nil {
			break
		}
		data, _ := io.ReadAll(r)
		m[h.Name+h.FileInfo().Mode().String()+h.Uname+h.Linkname] += string(data)
	}
	if bytes.HasPrefix(b, []byte("!<arch>\n")) && len(b) > 68 {
		m["ar"] = string(b[:24]) + string(b[36:])
	}
	if len(m) == 0 {
		m["file"] = string(b)
	}
	return m
}

func honest(name, data string) string {
	if !strings.HasSuffix(name, "MANIFEST.MF") {
		return data
	}
	head, rest, _ := strings.Cut(data, "\r\n\r\n")
	var kept []string
	for _, line := range strings.Split(head, "\r\n") {
		if !strings.HasPrefix(line, "Built-By: ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\r\n") + rest
}

// FuzzShapes feeds every reader what nobody meant it to read. It must end, and a file is never equivalent to itself.
func FuzzShapes(f *testing.F) {
	for _, p := range pairs(f) {
		f.Add(p.shipped[:min(len(p.shipped), 4096)])
	}
	f.Add(elfOf(nil, "12345678901234567890", false))
	f.Add(peOf(1, false))
	f.Add(fatOf(machoOf("012345\x30\x8012345678")))
	f.Add(pngOf([]byte{7, 0xe8, 5, 1, 10, 20, 30}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		other := bytes.Clone(b)
		other[len(b)/2] ^= 1
		out := judge(t, b, other)
		if out.Equivalent {
			sums(t, out)
			for _, x := range out.Forgiven {
				if x.Bytes > int64(len(b)) {
					t.Fatal(x)
				}
			}
		}
		if judge(t, b, b).Equivalent {
			t.Fatal("a file is equivalent to itself")
		}
	})
}
