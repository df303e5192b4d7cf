package origin

import (
	"encoding/binary"
	"path"
	"strings"
)

// class reads a class file (The Java Virtual Machine Specification, chapter 4) as far as its SourceFile attribute.
type class struct {
	data []byte
	at   int
	bad  bool
	text map[int]string // constants of kind Utf8
	name map[int]int    // of constants of kind Class, the constant that names it
}

// classSource returns the name that a class file gives for its source: the folder is that of its package. Where it has no
// SourceFile attribute, it is told only what the outermost class is called: "example/Main" then, and told is false.
func classSource(data []byte) (name string, told, ok bool) {
	c := &class{data: data, text: map[int]string{}, name: map[int]int{}}
	if c.u4() != 0xcafebabe {
		return "", false, false
	}
	c.skip(4) // version
	c.constants()
	c.skip(2) // access flags
	this := c.text[c.name[c.u2()]]
	c.skip(2) // super class
	c.skip(2 * c.u2())
	for range 2 { // fields, methods
		for range c.u2() {
			c.skip(6)
			c.attributes(nil)
			if c.bad {
				return "", false, false
			}
		}
	}
	source := ""
	c.attributes(func(name string, body []byte) {
		if name == "SourceFile" && len(body) == 2 {
			source = c.text[int(binary.BigEndian.Uint16(body))]
		}
	})
	if c.bad || this == "" || len(this) > maxNameBytes || len(source) > maxNameBytes {
		return "", false, false
	}
	dir := path.Dir(this)
	if source == "" || strings.Contains(source, "/") { // the attribute names no folder (4.7.10)
		outer, _, _ := strings.Cut(path.Base(this), "$")
		return path.Join(dir, outer), false, outer != ""
	}
	return path.Join(dir, source), true, true
}

func (c *class) constants() {
	n := c.u2()
	for i := 1; i < n && !c.bad; i++ {
		switch c.u1() {
		case 1:
			c.text[i] = string(c.take(c.u2()))
		case 7:
			c.name[i] = c.u2()
		case 8, 16, 19, 20:
			c.skip(2)
		case 15:
			c.skip(3)
		case 3, 4, 9, 10, 11, 12, 17, 18:
			c.skip(4)
		case 5, 6:
			c.skip(8)
			i++ // they take two entries (4.4.5)
		default:
			c.bad = true
		}
	}
}

func (c *class) attributes(each func(name string, body []byte)) {
	for range c.u2() {
		name := c.text[c.u2()]
		body := c.take(int(c.u4()))
		if c.bad {
			return
		}
		if each != nil {
			each(name, body)
		}
	}
}

func (c *class) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.data)-c.at {
		c.bad = true
		return nil
	}
	b := c.data[c.at : c.at+n]
	c.at += n
	return b
}

func (c *class) skip(n int) { c.take(n) }

func (c *class) u1() int {
	if b := c.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (c *class) u2() int {
	if b := c.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *class) u4() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}
