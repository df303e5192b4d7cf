package gitobj

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// storeOf makes an object store of one pack.
func storeOf(t *testing.T, pack, index []byte) (*Store, error) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "pack"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "pack/pack-x.pack"), pack, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "pack/pack-x.idx"), index, 0o644))
	return openStore(t, dir, SHA1)
}

func openStore(t *testing.T, dir string, f Format) (*Store, error) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	must(t, err)
	s, err := Open(root, f)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, err error, class fault.Class, want string) {
	t.Helper()
	if err == nil || fault.ClassOf(err) != class || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %v with %q", err, class, want)
	}
}

const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func TestPackedObjects(t *testing.T) {
	t.Parallel()
	w := newPackWriter()
	var want []string
	var ids []ID
	add := func(id ID, content string) { ids, want = append(ids, id), append(want, content) }
	long := strings.Repeat("a long base, that is copied from ", 4000)
	id, at := w.object(Blob, long)
	add(id, long)
	copies := append(varint(len(long)), varint(0x10000+5+300)...)
	copies = append(copies, 0x80)                        // 64 KiB from 0
	copies = append(copies, 5, 'h', 'e', 'l', 'l', 'o')  // a literal
	copies = append(copies, 0x80|0x03|0x30, 7, 1, 44, 1) // 300 from 263
	result := long[:0x10000] + "hello" + long[263:263+300]
	add(w.onOffset(at, copies, result), result)
	chain := w.entries[1].offset
	for i := range 60 {
		text := fmt.Sprint("link ", i)
		add(w.onOffset(chain, delta(len(want[len(want)-1]), text), text), text)
		chain = w.entries[len(w.entries)-1].offset
	}
	add(w.onID(ids[0], delta(len(long), "by id"), "by id"), "by id")
	id, _ = w.object(Blob, "")
	add(id, "")
	s, err := storeOf(t, first(w.finish()), second(w.finish()))
	must(t, err)
	r := s.NewReader()
	for range 2 { // with a cold and a warm cache
		for _, i := range []int{0, 61, 1, 30, 62, 63, 5} {
			got, err := r.Read(ids[i], Blob)
			must(t, err)
			if string(got) != want[i] {
				t.Fatalf("object %d: %.40q, want %.40q", i, got, want[i])
			}
		}
	}
	if _, err := r.Read(ids[0], Tree); err == nil {
		t.Error("a blob was read as a tree")
	}
	missing, _ := HashObject(SHA1, Blob, []byte("missing"))
	if _, err := r.Read(missing, Blob); !errors.Is(err, fs.ErrNotExist) || fault.ClassOf(err) != fault.Inconclusive {
		t.Errorf("missing: %v", err)
	}
	if found, err := s.Abbreviated(ids[3].String()[:8], 5); err != nil || !slices.Equal(found, ids[3:4]) {
		t.Errorf("abbreviated: %v %v", found, err)
	}
}

func first(a, _ []byte) []byte  { return a }
func second(_, b []byte) []byte { return b }

// Each vector has one fault. None may yield an object.
func TestHostilePacks(t *testing.T) {
	t.Parallel()
	const content = "the content of a blob, long enough to be compressed compressed compressed"
	id, _ := HashObject(SHA1, Blob, []byte(content))
	base := func(w *packWriter) int64 { _, at := w.object(Blob, "base base base"); return at }
	for name, v := range map[string]struct {
		make func(w *packWriter)
		want string
	}{
		"lying index":          {func(w *packWriter) { w.raw(id, entryHeader(3, 5), deflated([]byte("other"))) }, "content hash differs"},
		"other type":           {func(w *packWriter) { w.raw(id, entryHeader(1, len(content)), deflated([]byte(content))) }, "content hash differs"},
		"size too small":       {func(w *packWriter) { w.raw(id, entryHeader(3, len(content)-1), deflated([]byte(content))) }, "size mismatch"},
		"size too large":       {func(w *packWriter) { w.raw(id, entryHeader(3, len(content)+1), deflated([]byte(content))) }, "size mismatch"},
		"size zero":            {func(w *packWriter) { w.raw(id, entryHeader(3, 0), deflated([]byte(content))) }, "size mismatch"},
		"size of a bomb":       {func(w *packWriter) { w.raw(id, entryHeader(3, 1<<31-1), deflated([]byte(content))) }, "exceeds limit"},
		"size without content": {func(w *packWriter) { w.raw(id, entryHeader(3, 1<<29), deflated([]byte(content))) }, "size mismatch"},
		"endless size":         {func(w *packWriter) { w.raw(id, bytes.Repeat([]byte{0xbf}, 20)) }, "entry size out of range"},
		"type 0":               {func(w *packWriter) { w.raw(id, entryHeader(0, len(content)), deflated([]byte(content))) }, "unknown entry type"},
		"type 5":               {func(w *packWriter) { w.raw(id, entryHeader(5, len(content)), deflated([]byte(content))) }, "unknown entry type"},
		"not deflate":          {func(w *packWriter) { w.raw(id, entryHeader(3, len(content)), []byte(content)) }, "malformed deflate"},
		"truncated stream":     {func(w *packWriter) { w.raw(id, entryHeader(3, len(content)), deflated([]byte(content))[:20]) }, "deflate"},
		"preset dictionary": {func(w *packWriter) {
			d := deflated([]byte(content))
			d[0], d[1] = 0x78, 0xbb
			w.raw(id, entryHeader(3, len(content)), d)
		}, "malformed deflate"},
		"inflate bomb": {func(w *packWriter) {
			w.raw(id, entryHeader(3, len(content)), deflated(make([]byte, 64<<20)))
		}, "size mismatch"},
		"wrong base size": {func(w *packWriter) {
			at := base(w)
			d := delta(3, content)
			w.raw(id, entryHeader(6, len(d)), offsetBytes(int64(w.body.Len())-at), deflated(d))
		}, "size mismatch"},
		"delta result short": {func(w *packWriter) { w.deltaOn(id, base(w), append(append(varint(14), varint(99)...), 1, 'x')) }, "size mismatch"},
		"delta result long":  {func(w *packWriter) { w.deltaOn(id, base(w), append(append(varint(14), varint(1)...), 2, 'x', 'y')) }, "malformed delta"},
		"delta op 0":         {func(w *packWriter) { w.deltaOn(id, base(w), append(append(varint(14), varint(1)...), 0)) }, "malformed delta"},
		"delta literal ends": {func(w *packWriter) { w.deltaOn(id, base(w), append(append(varint(14), varint(9)...), 9, 'x')) }, "malformed delta"},
		"delta copy outside": {func(w *packWriter) { w.deltaOn(id, base(w), append(append(varint(14), varint(9)...), 0x91, 10, 9)) }, "malformed delta"},
		"delta copy ends":    {func(w *packWriter) { w.deltaOn(id, base(w), append(append(varint(14), varint(9)...), 0xff, 1)) }, "malformed delta"},
		"delta empty":        {func(w *packWriter) { w.deltaOn(id, base(w), nil) }, "malformed delta"},
		"delta endless size": {func(w *packWriter) { w.deltaOn(id, base(w), bytes.Repeat([]byte{0xff}, 20)) }, "malformed delta"},
		"delta bomb":         {func(w *packWriter) { w.deltaOn(id, base(w), append(varint(14), varint(1<<31-1)...)) }, "exceeds limit"},
		"delta upon itself":  {func(w *packWriter) { w.raw(id, entryHeader(7, 3), id.raw[:20], deflated([]byte{1, 1, 0x90})) }, "exceeds limit"},
		"delta before the pack": {func(w *packWriter) {
			w.raw(id, entryHeader(6, 3), offsetBytes(1000), deflated([]byte{1, 1, 0x90}))
		}, "delta base out of range"},
		"delta upon offset 0": {func(w *packWriter) {
			w.raw(id, entryHeader(6, 3), []byte{0}, deflated([]byte{1, 1, 0x90}))
		}, "delta base out of range"},
		"delta upon the middle": {func(w *packWriter) {
			at := base(w) + 3
			d := delta(14, content)
			w.raw(id, entryHeader(6, len(d)), offsetBytes(int64(w.body.Len())-at), deflated(d))
		}, "malformed"},
		"delta upon a stranger": {func(w *packWriter) {
			w.raw(id, entryHeader(7, 3), []byte(strings.Repeat("\x11", 20)), deflated([]byte{1, 1, 0x90}))
		}, "delta base is not in the pack"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPackWriter()
			v.make(w)
			s, err := storeOf(t, first(w.finish()), second(w.finish()))
			must(t, err)
			_, err = s.Read(id, Blob)
			wantFault(t, err, fault.Failed, v.want)
			// a server's pack with the same fault never becomes visible
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			must(t, err)
			defer root.Close()
			err = Ingest(context.Background(), root, SHA1, bytes.NewReader(first(w.finish())), 1<<30)
			if err == nil {
				s, err := openStore(t, dir, SHA1)
				must(t, err)
				if _, err := s.Read(id, Blob); err == nil {
					t.Error("the object was read after all")
				}
			} else if left, _ := fs.Glob(root.FS(), "pack/*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestHostileIndexes(t *testing.T) {
	t.Parallel()
	w := newPackWriter()
	var id ID
	for i := range 20 {
		id, _ = w.object(Blob, fmt.Sprint("object ", i))
	}
	goodPack, goodIndex := w.finish()
	names := indexHeader + fanoutSize
	offsets := names + 20*24
	for name, v := range map[string]struct {
		change func(pack, index []byte) ([]byte, []byte)
		class  fault.Class
		want   string
	}{
		"truncated index":   {func(p, x []byte) ([]byte, []byte) { return p, x[:500] }, fault.Failed, "malformed pack index"},
		"empty index":       {func(p, _ []byte) ([]byte, []byte) { return p, nil }, fault.Failed, "malformed pack index"},
		"version 1":         {func(p, x []byte) ([]byte, []byte) { return p, x[8:] }, fault.Inconclusive, "version 1 unsupported"},
		"version 3":         {func(p, x []byte) ([]byte, []byte) { x[7] = 3; return p, x }, fault.Inconclusive, "version 3 unsupported"},
		"decreasing fanout": {func(p, x []byte) ([]byte, []byte) { x[8+4*255+3]--; return p, x }, fault.Failed, "fan-out table decreases"},
		"many objects":      {func(p, x []byte) ([]byte, []byte) { x[8+4*255] = 0xff; return p, x }, fault.Failed, "exceeds limit"},
		"other pack":        {func(p, x []byte) ([]byte, []byte) { x[len(x)-40]++; return p, x }, fault.Failed, "trailer differs"},
		"trailing data":     {func(p, x []byte) ([]byte, []byte) { return append(p, 0), x }, fault.Failed, "trailer differs"},
		"truncated pack":    {func(p, x []byte) ([]byte, []byte) { return p[:10], x }, fault.Failed, "malformed pack"},
		"no pack":           {func(p, x []byte) ([]byte, []byte) { p[0] = 'K'; return p, x }, fault.Failed, "unknown header"},
		"pack version":      {func(p, x []byte) ([]byte, []byte) { p[7] = 9; return p, x }, fault.Failed, "unknown header"},
		"object count":      {func(p, x []byte) ([]byte, []byte) { p[11]++; return p, x }, fault.Failed, "object count differs"},
		"unsorted names": {func(p, x []byte) ([]byte, []byte) {
			for i := range 20 { // the names all begin with the byte that the fan-out says, but out of order
				copy(x[names+20*i:], bytes.Repeat([]byte{id.raw[0]}, 20))
			}
			for i := range 256 {
				n := byte(0)
				if i >= int(id.raw[0]) {
					n = 20
				}
				copy(x[8+4*i:], []byte{0, 0, 0, n})
			}
			return p, x
		}, fault.Failed, "names out of order"},
		"name outside fan-out": {func(p, x []byte) ([]byte, []byte) {
			for i := range 20 {
				x[names+20*i] ^= 0x80
			}
			return p, x
		}, fault.Failed, "name outside its fan-out"},
		"offsets outside": {func(p, x []byte) ([]byte, []byte) {
			for i := range 20 {
				copy(x[offsets+4*i:], []byte{0x7f, 0xff, 0xff, 0xff})
			}
			return p, x
		}, fault.Failed, "entry out of range"},
		"offsets in the header": {func(p, x []byte) ([]byte, []byte) {
			for i := range 20 {
				copy(x[offsets+4*i:], []byte{0, 0, 0, 1})
			}
			return p, x
		}, fault.Failed, "entry out of range"},
		"large offsets missing": {func(p, x []byte) ([]byte, []byte) {
			for i := range 20 {
				x[offsets+4*i] = 0x80
			}
			return p, x
		}, fault.Failed, "large offset out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, x := v.change(bytes.Clone(goodPack), bytes.Clone(goodIndex))
			s, err := storeOf(t, p, x)
			if err == nil {
				_, err = s.Read(id, Blob)
			}
			wantFault(t, err, v.class, v.want)
		})
	}
}

func TestPackTruncatedWhileOpen(t *testing.T) {
	t.Parallel()
	w := newPackWriter()
	_, _ = w.object(Blob, "first")
	id, _ := w.object(Blob, strings.Repeat("second", 10_000))
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "pack"), 0o755))
	p, x := w.finish()
	path := filepath.Join(dir, "pack/pack-x.pack")
	must(t, os.WriteFile(path, p, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "pack/pack-x.idx"), x, 0o644))
	s, err := openStore(t, dir, SHA1)
	must(t, err)
	must(t, os.Truncate(path, 40))
	_, err = s.Read(id, Blob)
	wantFault(t, err, fault.Failed, "changed or truncated")
}

func TestLooseObjects(t *testing.T) {
	t.Parallel()
	const content = "loose content"
	id, _ := HashObject(SHA1, Blob, []byte(content))
	object := func(header string) []byte { return deflated([]byte(header + "\x00" + content)) }
	for name, v := range map[string]struct {
		file []byte
		want string
	}{
		"right":          {object("blob 13"), ""},
		"other content":  {deflated([]byte("blob 13\x00Loose content")), "content hash differs"},
		"other type":     {object("tree 13"), "content hash differs"},
		"size too small": {object("blob 12"), "size mismatch"},
		"size too large": {object("blob 14"), "size mismatch"},
		"huge size":      {object("blob 99999999999"), "exceeds limit"},
		"endless size":   {object("blob 99999999999999999999999999999999999999"), "malformed object header"},
		"empty promise":  {object("blob 1000000000"), "size mismatch"},
		"padded size":    {object("blob 013"), "malformed object header"},
		"signed size":    {object("blob +13"), "malformed object header"},
		"no size":        {object("blob "), "malformed object header"},
		"unknown type":   {object("blub 13"), "malformed object header"},
		"two blanks":     {object("blob  13"), "malformed object header"},
		"no header":      {deflated([]byte("x")), "malformed object header"},
		"empty stream":   {deflated(nil), "malformed object header"},
		"empty file":     {nil, "ends early"},
		"not deflate":    {[]byte("blob 13\x00" + content), "malformed deflate"},
		"truncated":      {object("blob 13")[:18], "deflate"},
		"no checksum":    {object("blob 13")[:len(object("blob 13"))-4], "ends early"},
		"trailing data":  {append(object("blob 13"), 'x'), "trailing data"},
		"second stream":  {append(object("blob 13"), object("blob 13")...), "trailing data"},
		"inflate bomb":   {deflated(append([]byte("blob 13\x00"), make([]byte, 64<<20)...)), "size mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, id.String()[:2]), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, looseName(id)), v.file, 0o444))
			s, err := openStore(t, dir, SHA1)
			must(t, err)
			got, err := s.Read(id, Blob)
			if v.want == "" {
				must(t, err)
				if string(got) != content {
					t.Errorf("got %q", got)
				}
				return
			}
			wantFault(t, err, fault.Failed, v.want)
		})
	}
}

// attacked is a hash that has found an attack. No pair of colliding git objects is known to be published.
type attacked struct{ hash.Hash }

func (a attacked) CollisionResistantSum(b []byte) ([]byte, bool) { return a.Hash.Sum(b), true }

func TestCollisionAttack(t *testing.T) {
	t.Parallel()
	h := newHasher(SHA1)
	id, _ := HashObject(SHA1, Blob, []byte("x"))
	must(t, h.check(id, Blob, []byte("x")))
	h.h = attacked{h.h}
	err := h.check(id, Blob, []byte("x"))
	wantFault(t, err, fault.Failed, "object "+id.String()+": collision attack detected")
	if _, ok := newHasher(SHA1).h.(collisionResistant); !ok {
		t.Error("the hash does not detect collisions")
	}
}

func TestIngestRoundTrip(t *testing.T) {
	t.Parallel()
	w := newPackWriter()
	base := strings.Repeat("base ", 100)
	id, at := w.object(Blob, base)
	ids := []ID{id, w.onOffset(at, delta(len(base), "one"), "one"), w.onID(id, delta(len(base), "two"), "two")}
	// a delta upon the id of a delta that comes later
	three, _ := HashObject(SHA1, Blob, []byte("three"))
	ids = append(ids, w.onID(three, delta(5, "four"), "four"), w.onID(id, delta(len(base), "three"), "three"))
	p, _ := w.finish()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	must(t, Ingest(context.Background(), root, SHA1, bytes.NewReader(p), 1<<20))
	s, err := openStore(t, dir, SHA1)
	must(t, err)
	for i, want := range []string{base, "one", "two", "four", "three"} {
		got, err := s.Read(ids[i], Blob)
		must(t, err)
		if string(got) != want {
			t.Errorf("object %d: %q, want %q", i, got, want)
		}
	}
	for name, v := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"flipped":   {func(p []byte) []byte { p[30] ^= 1; return p }, "checksum differs"},
		"truncated": {func(p []byte) []byte { return p[:len(p)-1] }, "checksum differs"},
		"empty":     {func([]byte) []byte { return nil }, "truncated"},
		"more":      {func(p []byte) []byte { return resealed(append(p[:len(p)-20:len(p)-20], "more"...)) }, "trailing data"},
		"count up":  {func(p []byte) []byte { p[11]++; return resealed(p[:len(p)-20]) }, "entry out of range"},
		"too large": {func(p []byte) []byte { return append(p, make([]byte, 1<<20)...) }, "exceeds limit"},
		"twice": {func([]byte) []byte {
			w := newPackWriter()
			w.object(Blob, "x")
			w.object(Blob, "x")
			p, _ := w.finish()
			return p
		}, "twice"},
	} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		must(t, err)
		err = Ingest(context.Background(), root, SHA1, bytes.NewReader(v.change(bytes.Clone(p))), 1<<20)
		wantFault(t, err, fault.Failed, v.want)
		if left, _ := fs.Glob(root.FS(), "pack/*"); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
		root.Close()
	}
}

// resealed gives a pack its right checksum.
func resealed(p []byte) []byte {
	sum := sha1.Sum(p)
	return append(p, sum[:]...)
}
