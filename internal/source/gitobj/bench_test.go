package gitobj

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	kzlib "github.com/klauspost/compress/zlib"
)

// sample is text that compresses about as source does.
func sample(size int) []byte {
	words := strings.Fields("func return if err != nil { } := range for package import string int byte error the of and to config client server")
	random := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(words[random.IntN(len(words))])
		if random.IntN(9) == 0 {
			fmt.Fprintf(&b, "%x\n", random.Uint32())
		}
		b.WriteByte(' ')
	}
	return []byte(b.String()[:size])
}

// BenchmarkInflate compares decoders on a stream of typical size.
func BenchmarkInflate(b *testing.B) {
	plain := sample(8000)
	stream := deflated(plain)
	b.Run("own", func(b *testing.B) {
		z := new(inflater)
		dst := make([]byte, len(plain)+outputSlack)
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			if _, err := z.zlib(dst, stream, len(plain)); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, reader := range map[string]func(io.Reader) (io.ReadCloser, error){"standard": zlib.NewReader, "klauspost": kzlib.NewReader} {
		b.Run(name, func(b *testing.B) {
			src := bytes.NewReader(stream)
			r, err := reader(src)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]byte, len(plain))
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				src.Reset(stream)
				if err := r.(zlib.Resetter).Reset(src, nil); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(r, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHash measures what naming an object costs.
func BenchmarkHash(b *testing.B) {
	data := sample(8000)
	for _, f := range []Format{SHA1, SHA256} {
		b.Run(f.String(), func(b *testing.B) {
			h := newHasher(f)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				h.id(Blob, data)
			}
		})
	}
}
