package gitobj

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackWriter: what is collected, in any order, gives the same pack, and Ingest reads it back.
func TestPackWriter(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{SHA1, SHA256} {
		var objects [][]byte
		for _, n := range []int{0, 1, 15, 16, 2047, 2048, 1 << 20} {
			objects = append(objects, bytes.Repeat([]byte{byte(n)}, n))
		}
		pack := func(order []int) []byte {
			spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
			if err != nil {
				t.Fatal(err)
			}
			defer spool.Close()
			w := NewPackWriter(spool, format)
			for _, i := range append(order, order...) {
				id, _ := HashObject(format, Blob, objects[i])
				w.Add(id, Blob, objects[i])
			}
			tree := []byte(strings.Repeat("x", 3))
			id, _ := HashObject(format, Tag, tree)
			w.Add(id, Tag, tree)
			var out bytes.Buffer
			if n, err := w.WriteTo(&out); err != nil || n != int64(out.Len()) || w.Count() != len(objects)+1 {
				t.Fatalf("%d bytes of %d, %d objects: %v", n, out.Len(), w.Count(), err)
			}
			return out.Bytes()
		}
		first := pack([]int{0, 1, 2, 3, 4, 5, 6})
		if !bytes.Equal(first, pack([]int{6, 2, 4, 0, 5, 1, 3})) {
			t.Error("the order of reading shows in the pack")
		}
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := Ingest(t.Context(), root, format, bytes.NewReader(first), 1<<30); err != nil {
			t.Fatal(err)
		}
		s, err := Open(root, format)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		s.Watch(func(id ID, kind Type, data []byte) { seen[fmt.Sprint(id, kind, len(data))]++ })
		for _, data := range objects {
			id, _ := HashObject(format, Blob, data)
			got, err := s.Read(id, Blob)
			if err != nil || !bytes.Equal(got, data) || seen[fmt.Sprint(id, Blob, len(data))] != 1 {
				t.Errorf("%d bytes: %v, %v", len(data), err, seen)
			}
		}
		s.Close()
	}
}
