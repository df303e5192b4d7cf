package gitobj

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// reference expands a stream with the standard library, and tells how much of it was used.
func reference(stream []byte, limit int) (out []byte, used int, err error) {
	src := bytes.NewReader(stream)
	r, err := zlib.NewReader(src)
	if err != nil {
		return nil, 0, err
	}
	out, err = io.ReadAll(io.LimitReader(r, int64(limit)))
	return out, len(stream) - src.Len(), err
}

// compareInflate holds our decoder against the standard library's: it accepts a stream exactly when that does (but for
// the checksum, which we do not look at), gives the same bytes, and never more or less than it was asked for.
func compareInflate(t *testing.T, stream []byte, size int) {
	t.Helper()
	z := new(inflater)
	dst := make([]byte, size+outputSlack)
	used, err := z.zlib(dst, stream, size)
	want, wantUsed, wantErr := reference(stream, size+1)
	checksum := wantErr == zlib.ErrChecksum
	if err == nil {
		if wantErr != nil && !checksum {
			t.Fatalf("accepted what the standard library refuses: %v", wantErr)
		}
		if !checksum && (!bytes.Equal(dst[:size], want) || used != wantUsed) {
			t.Fatalf("other bytes, or %d instead of %d used", used, wantUsed)
		}
	} else if wantErr == nil && len(want) == size {
		t.Fatalf("refused what the standard library accepts: %v", err)
	}
	n, err := z.prefix(dst, stream, size)
	if err == nil && !bytes.Equal(dst[:n], want[:min(n, len(want))]) && wantErr == nil {
		t.Fatal("other bytes in the prefix")
	}
}

// streams are deflate streams of all kinds of blocks.
func streams() [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{"", "a", strings.Repeat("a", 1000), strings.Repeat("ab", 40_000), strings.Repeat("the quick brown fox ", 500)}
	noise := make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(random.IntN(256))
	}
	skewed := make([]byte, 50_000)
	for i := range skewed {
		skewed[i] = byte(random.ExpFloat64() * 3)
	}
	texts = append(texts, string(noise), string(skewed), string(noise[:300])+strings.Repeat(string(noise[:300]), 50))
	var out [][]byte
	for _, text := range texts {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly} {
			var b bytes.Buffer
			w, _ := zlib.NewWriterLevel(&b, level)
			io.WriteString(w, text)
			w.Close()
			out = append(out, b.Bytes())
		}
	}
	return out
}

func TestInflate(t *testing.T) {
	t.Parallel()
	for _, s := range streams() {
		want, _, err := reference(s, 1<<20)
		must(t, err)
		for _, size := range []int{len(want), len(want) + 1, len(want) - 1, 0, len(want) / 2} {
			compareInflate(t, s, max(size, 0))
		}
		// cut off anywhere near the ends, and with a flipped bit here and there
		for cut := 0; cut < len(s); cut += 1 + len(s)/61 {
			compareInflate(t, s[:cut], len(want))
			bad := slices.Clone(s)
			bad[cut] ^= 1 << (cut % 8)
			compareInflate(t, bad, len(want))
		}
	}
}

func FuzzInflate(f *testing.F) {
	for _, s := range streams() {
		if len(s) < 4000 {
			want, _, _ := reference(s, 1<<20)
			f.Add(s, len(want))
		}
	}
	f.Add([]byte("\x78\x9c\x05\xc0\x81\x08\x00\x00\x00\x00\x20\x7f\xea\x2f"), 3) // a code of one symbol
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		if size < 0 || size > 1<<20 {
			return
		}
		compareInflate(t, stream, size)
	})
}

func FuzzDelta(f *testing.F) {
	f.Add([]byte("base of the delta"), delta(17, "result"))
	f.Add([]byte("base"), []byte{4, 8, 0x90, 4, 0x91, 0, 4})
	f.Fuzz(func(t *testing.T, base, d []byte) {
		n, size, ins, err := deltaSizes(d)
		if err != nil || n != int64(len(base)) || size > 1<<20 {
			return
		}
		before := bytes.Clone(base)
		out := make([]byte, size, size+8)
		err = applyDelta(out, base, ins)
		if !bytes.Equal(base, before) {
			t.Fatal("the base was written to")
		}
		if !bytes.Equal(out[size:cap(out)], make([]byte, cap(out)-len(out))) {
			t.Fatal("bytes were written beyond the result")
		}
		if err == nil && size > 0 && len(ins) == 0 {
			t.Fatal("a result without instructions")
		}
	})
}

// FuzzPack reads whatever is called a pack, as a server's and as a repository's own. No object has a wrong id.
func FuzzPack(f *testing.F) {
	w := newPackWriter()
	id, at := w.object(Blob, strings.Repeat("base ", 50))
	w.onOffset(at, delta(250, "offset"), "offset")
	w.onID(id, delta(250, "id"), "id")
	w.object(Tree, "")
	p, _ := w.finish()
	f.Add(p[:len(p)-20])
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) < packHeader {
			return
		}
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		must(t, err)
		defer root.Close()
		if err := Ingest(context.Background(), root, SHA1, bytes.NewReader(resealed(bytes.Clone(body))), 1<<20); err != nil {
			return
		}
		s, err := openStore(t, dir, SHA1)
		must(t, err)
		if len(s.seen.Load().packs) == 0 {
			return
		}
		for first := range 256 {
			b, err := s.seen.Load().packs[0].index.bucket(byte(first))
			must(t, err)
			for i := 0; b != nil && i < len(b.names); i += 20 {
				id := idFrom(SHA1, b.names[i:])
				kind, data, err := s.TypeOf(id)
				if err != nil {
					t.Fatalf("an object that was indexed cannot be read: %v", err)
				}
				if got, collision := HashObject(SHA1, kind, data); got != id || collision {
					t.Fatal("an object under a wrong id")
				}
			}
		}
	})
}

// FuzzEntry reads a pack whose index says that an object lies at its start. It is refused, or has its id.
func FuzzEntry(f *testing.F) {
	f.Add(append(entryHeader(3, 5), deflated([]byte("hello"))...))
	f.Add(append(entryHeader(6, 3), 0x80, 1, 1, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newPackWriter()
		id, at := w.object(Blob, "hello")
		w.entries[0].offset = int64(w.body.Len())
		w.raw(ID{n: 20, raw: [32]byte{1}}, data, []byte(zeros))
		w.entries[1].offset = at
		s, err := storeOf(t, first(w.finish()), second(w.finish()))
		must(t, err)
		got, err := s.Read(id, Blob)
		if err == nil && string(got) != "hello" {
			t.Fatalf("%q under the id of hello", got)
		}
		s.Close()
	})
}

func FuzzCommit(f *testing.F) {
	tree := strings.Repeat("1", 40)
	head := "tree " + tree + "\nparent " + tree + "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 2 -0100\n"
	f.Add([]byte(head + "\nm\n"))
	f.Add([]byte(head + "encoding x\ngpgsig -----BEGIN\n a\n \n b\nmergetag object x\n type\n\nm\n"))
	f.Add([]byte(head + "gpgsig-sha256 a\n b\ngpgsig c\n d\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, _ := HashObject(SHA1, Commit, raw)
		before := bytes.Clone(raw)
		c, err := ParseCommit(id, raw)
		a, ancestryErr := ParseAncestry(id, raw)
		if !bytes.Equal(raw, before) {
			t.Fatal("the object was written to")
		}
		if err != nil {
			return
		}
		if ancestryErr != nil || a.Tree != c.Tree || !slices.Equal(a.Parents, c.Parents) || a.When != c.Committer.When {
			t.Fatalf("two readings: %+v and %+v, %v", a, c, ancestryErr)
		}
		if !bytes.HasSuffix(raw, c.Message) || bytes.Count(raw[:len(raw)-len(c.Message)], []byte("\ntree ")) > 0 {
			t.Fatal("a second tree, or another message")
		}
		if (c.Signature == nil) != (c.SignedPayload == nil) {
			t.Fatal("a signature without a payload")
		}
		if c.Signature != nil {
			head := c.SignedPayload[:len(c.SignedPayload)-len(c.Message)]
			if bytes.Contains(head, []byte("\ngpgsig")) || !bytes.HasSuffix(c.SignedPayload, append([]byte("\n"), c.Message...)) {
				t.Fatal("a payload with a signature in it, or without its message")
			}
		}
	})
}

func FuzzTag(f *testing.F) {
	head := "object " + strings.Repeat("1", 40) + "\ntype commit\ntag v1\ntagger A <a@b> 1 +0000\n"
	f.Add([]byte(head + "\nm\n-----BEGIN PGP SIGNATURE-----\nx\n"))
	f.Add([]byte(head + "gpgsig-sha256 x\n y\n\nm\n-----BEGIN SSH SIGNATURE-----\n"))
	f.Add([]byte(head))
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, _ := HashObject(SHA1, Tag, raw)
		tag, err := ParseTag(id, raw)
		if err != nil {
			return
		}
		target, kind, err := Peel(id, raw)
		if err != nil || target != tag.Target || kind != tag.TargetType {
			t.Fatalf("two readings: %v %v %v", target, kind, err)
		}
		if tag.Signature != nil && (!bytes.HasSuffix(raw, tag.Signature) || bytes.Contains(tag.SignedPayload, []byte("\n-----BEGIN PGP SIGNATURE-----"))) {
			t.Fatal("a signature that is not at the end, or two of them")
		}
	})
}

func FuzzTree(f *testing.F) {
	id := strings.Repeat("\x11", 20)
	f.Add([]byte("100644 a\x00" + id + "40000 b\x00" + id + "160000 c\x00" + id))
	f.Add([]byte("120000 .gitmodules\x00" + id))
	f.Add([]byte("100644 a\x00" + id + "100644 a.c\x00" + id + "40000 a\x00" + id))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ParseTree(SHA1, "tree", data)
		if err != nil {
			return
		}
		var again bytes.Buffer
		seen := make(map[string]bool)
		for _, e := range entries {
			if seen[e.Name] || e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00\n") ||
				strings.EqualFold(e.Name, ".git") || strings.EqualFold(e.Name, "git~1") {
				t.Fatalf("name %q was let through", e.Name)
			}
			seen[e.Name] = true
			again.WriteString(map[Mode]string{ModeDir: "40000", ModeFile: "100644", ModeExecutable: "100755", ModeLink: "120000", ModeSubmodule: "160000"}[e.Mode])
			again.WriteString(" " + e.Name + "\x00")
			again.Write(e.ID.raw[:20])
		}
		if !bytes.Equal(again.Bytes(), data) {
			t.Fatal("what was parsed is not what was there")
		}
	})
}
