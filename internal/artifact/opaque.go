package artifact

import (
	"io"
	"math"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// A Class says what kind of content a file has. The zero value is opaque: nobody has looked.
type Class string

// The classes of content. Only text can be read by a person who audits a source tree.
const (
	MachineCode   Class = "machine code"   // ELF, PE, Mach-O, wasm, object files, kernel modules
	CompiledClass Class = "compiled class" // Java, Python, DEX, LLVM bitcode
	Archive       Class = "archive"        // containers and compressed streams
	Image         Class = "image"          // pictures, fonts, PDF
	Data          Class = "data"           // anything else that is not text
	Encoded       Class = "encoded data"   // text that is base64 or hexadecimal for a long stretch
	Text          Class = "text"
)

// Opaque tells whether the content cannot be read by a person.
func (c Class) Opaque() bool { return c != Text }

const (
	sampleWhole  = 1 << 20  // files up to this size are looked at as a whole
	samples      = 32       // windows taken from larger ones, the first and the last included
	sampleWindow = 32 << 10 //
	encodedRun   = 4096     // characters of one alphabet in a row, line ends not counted
	hexBits      = 3.5      // least bits of entropy for each character of a hexadecimal stretch; random is 4
	base64Bits   = 5.2      // the same for base64; random is 6, words are below 4.8
	maxControl   = 200      // at most one control character in so many characters of text
)

// Classify says what kind of content r has. Magic numbers come first. What has none is text when it is UTF-8, or UTF-16
// with a byte order mark, or has no more than 5 % bytes outside of ASCII (Latin-1 and its kin), without NUL and
// with hardly any control characters; text with at least 4096 base64 or hexadecimal characters in a row, of the entropy
// that packed data has, is encoded data. Files over 1 MiB are judged by 32 windows.
func Classify(r io.ReaderAt, size int64) (Class, error) {
	if size == 0 {
		return Text, nil
	}
	head := make([]byte, min(size, headBytes))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return "", err
	}
	if c, ok := classOfMagic(head); ok {
		return c, nil
	}
	if endsAsZip(r, size) {
		return Archive, nil
	}
	var t textScan
	if size <= sampleWhole {
		buf := make([]byte, size)
		if n, err := r.ReadAt(buf, 0); int64(n) < size {
			return "", err
		}
		t.scan(buf)
		return t.class(), nil
	}
	buf := make([]byte, sampleWindow)
	for i := range int64(samples) {
		if _, err := r.ReadAt(buf, (size-sampleWindow)*i/(samples-1)); err != nil && err != io.EOF {
			return "", err
		}
		t.scan(buf)
		if c := t.class(); c.Opaque() {
			return c, nil
		}
	}
	return t.class(), nil
}

func classOfMagic(head []byte) (Class, bool) {
	if archive.Detect(head) != "" && format(head) != "go-archive" {
		return Archive, true
	}
	switch f := format(head); f {
	case "", "script":
		return "", false
	case "java-class", "pyc", "dex", "llvm-bitcode":
		return CompiledClass, true
	case "png", "jpeg", "gif", "pdf", "woff", "woff2", "ico":
		return Image, true
	case "ogg", "sqlite":
		return Data, true
	}
	return MachineCode, true
}

// textScan gathers what tells text from data.
type textScan struct {
	seen, control, nul, bad, high int
	encoded                       bool
}

func (t *textScan) class() Class {
	switch {
	case t.nul > 0, t.control*maxControl > t.seen, t.bad > 0 && t.high*20 > t.seen:
		return Data
	case t.encoded:
		return Encoded
	}
	return Text
}

func (t *textScan) scan(b []byte) {
	b = fromUTF16(b)
	t.runs(b)
	for i := 0; i < len(b); {
		c := b[i]
		t.seen++
		if c < utf8.RuneSelf {
			switch {
			case c == 0:
				t.nul++
			case c < ' ' && c != '\n' && c != '\t' && c != '\r' && c != '\f' && c != '\b' && c != 0x1b && c != 0x1a, c == 0x7f:
				t.control++
			}
			i++
			continue
		}
		t.high++
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 && i >= utf8.UTFMax && len(b)-i >= utf8.UTFMax {
			t.bad++ // at the borders of a window a rune may be cut
		}
		i += n
	}
}

// fromUTF16 returns UTF-8 for what begins with a byte order mark of UTF-16.
func fromUTF16(b []byte) []byte {
	if len(b) < 4 || !(b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff) {
		return b
	}
	lo, hi := 0, 1
	if b[0] == 0xfe {
		lo, hi = 1, 0
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 2; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i+lo])|uint16(b[i+hi])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}

// runs looks for a long stretch of one encoding.
func (t *textScan) runs(b []byte) {
	var count [256]int
	n, hex := 0, true
	for _, c := range append(b[:len(b):len(b)], ' ') {
		switch {
		case c == '\n' || c == '\r':
			continue
		case isBase64(c):
			count[c]++
			n++
			hex = hex && isHex(c)
			continue
		}
		if n >= encodedRun {
			bits := entropy(&count, n)
			t.encoded = t.encoded || hex && bits >= hexBits || bits >= base64Bits
		}
		if n > 0 {
			clear(count[:])
			n, hex = 0, true
		}
	}
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_' || c == '='
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func entropy(count *[256]int, n int) float64 {
	var bits float64
	for _, k := range count {
		if k > 0 {
			p := float64(k) / float64(n)
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
