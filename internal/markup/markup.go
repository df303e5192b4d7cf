// Package markup writes HTML pages in which every foreign word is text.
//
// Elements are named by the program, attributes are values of Attr that only this package makes, and there is none that
// runs or loads anything; every text and every value is escaped (html.EscapeString), so that no word ends the one it
// stands in. A page carries its style, and a Content-Security-Policy (https://www.w3.org/TR/CSP3/) that allows this style
// by its hash and nothing else.
//
// It takes the place of html/template, which reaches methods by name: a program that holds it keeps every method of
// every type, and this one was four megabytes larger by that.
package markup

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"strconv"
)

// Attr is one attribute of an element.
type Attr struct{ name, value string }

// The attributes that there are.
func Class(v string) Attr      { return Attr{"class", v} }
func ID(v string) Attr         { return Attr{"id", v} }
func Label(v string) Attr      { return Attr{"aria-label", v} }
func LabelledBy(v string) Attr { return Attr{"aria-labelledby", v} }
func Column() Attr             { return Attr{"scope", "col"} }
func Hidden() Attr             { return Attr{"aria-hidden", "true"} }
func Open() Attr               { return Attr{"open", "open"} }

// Page is a page under way.
type Page struct{ b bytes.Buffer }

// New begins a page.
func New(title, style string) *Page {
	p := &Page{}
	sum := sha256.Sum256([]byte(style))
	p.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	p.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'\">\n")
	p.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<title>")
	p.Text(title)
	p.raw("</title>\n<style>" + style + "</style>\n</head>\n<body>\n")
	return p
}

// Bytes ends the page and returns it.
func (p *Page) Bytes() []byte {
	p.raw("</body>\n</html>\n")
	return p.b.Bytes()
}

// Len is the size of the page so far, in bytes.
func (p *Page) Len() int { return p.b.Len() }

// Text writes a word.
func (p *Page) Text(s string) { p.raw(html.EscapeString(s)) }

// Line ends a line of the source, for whoever reads that.
func (p *Page) Line() { p.raw("\n") }

// Break ends a line of the page.
func (p *Page) Break() { p.raw("<br>") }

// El writes an element that holds one word.
func (p *Page) El(tag, text string, attrs ...Attr) {
	p.begin(tag, attrs)
	p.Text(text)
	p.raw("</" + tag + ">")
}

// In writes an element and what body writes inside it.
func (p *Page) In(tag string, body func(), attrs ...Attr) {
	p.begin(tag, attrs)
	body()
	p.raw("</" + tag + ">")
}

func (p *Page) begin(tag string, attrs []Attr) {
	p.raw("<" + tag)
	for _, a := range attrs {
		p.raw(" " + a.name + "=\"" + html.EscapeString(a.value) + "\"")
	}
	p.raw(">")
}

func (p *Page) raw(s string) { p.b.WriteString(s) }

// Bar is a rectangle of a Strip, in thousandths of its length.
type Bar struct {
	X, Width     float64
	Class, Title string
}

// Strip draws bars along one line, as wide as there is room.
func (p *Page) Strip(label string, bars []Bar) {
	p.raw("<svg class=\"map\" viewBox=\"0 0 1000 40\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" + html.EscapeString(label) + "\">")
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }
	for _, b := range bars {
		p.raw("<rect class=\"" + html.EscapeString(b.Class) + "\" x=\"" + number(b.X) + "\" y=\"0\" width=\"" + number(b.Width) + "\" height=\"40\"><title>")
		p.Text(b.Title)
		p.raw("</title></rect>\n")
	}
	p.raw("</svg>\n")
}

// Head writes the headers of a table's columns.
func (p *Page) Head(names ...string) {
	p.In("thead", func() {
		p.In("tr", func() {
			for _, n := range names {
				if n == "" { // a header that says nothing is read out all the same
					p.El("td", "")
					continue
				}
				p.El("th", n, Column())
			}
		})
	})
	p.Line()
}
