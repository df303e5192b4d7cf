package fulcio

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

func raw(class, tag int, compound bool, content []byte) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: compound, Bytes: content})
	if err != nil {
		panic(err) // values of tests
	}
	return der
}

func names(list ...[]byte) pkix.Extension {
	return pkix.Extension{Id: oidSubject, Value: raw(0, 16, true, []byte(strings.Join(texts(list), "")))}
}

func texts(list [][]byte) []string {
	var out []string
	for _, b := range list {
		out = append(out, string(b))
	}
	return out
}

func said(number int, value []byte) pkix.Extension {
	return pkix.Extension{Id: append(arc[:len(arc):len(arc)], number), Value: value}
}

func utf8String(s string) []byte { return raw(0, 12, false, []byte(s)) }

func other(oid asn1.ObjectIdentifier, text string) []byte {
	id, err := asn1.Marshal(oid)
	if err != nil {
		panic(err)
	}
	return raw(2, 0, true, append(id, raw(2, 0, true, utf8String(text))...))
}

func TestRead(t *testing.T) {
	t.Parallel()
	mail, uri, dns := raw(2, 1, false, []byte("a@example.org")), raw(2, 6, false, []byte("https://example.org/%61")), raw(2, 2, false, []byte("example.org"))
	for name, tc := range map[string]struct {
		extensions []pkix.Extension
		subjects   string
		others     int
		issuer     string
		err        string
	}{
		"an address":           {[]pkix.Extension{names(mail)}, "a@example.org", 0, "", ""},
		"a URI as it stands":   {[]pkix.Extension{names(uri)}, "https://example.org/%61", 0, "", ""},
		"Fulcio's other name":  {[]pkix.Extension{names(other(oidOtherName, "robot"))}, "robot", 0, "", ""},
		"somebody's":           {[]pkix.Extension{names(other(asn1.ObjectIdentifier{1, 2, 3}, "robot"), dns)}, "", 2, "", ""},
		"several":              {[]pkix.Extension{names(mail, uri)}, "a@example.org https://example.org/%61", 0, "", ""},
		"none":                 {[]pkix.Extension{names()}, "", 0, "", "malformed subject"},
		"empty":                {[]pkix.Extension{names(raw(2, 1, false, nil))}, "", 0, "", "malformed subject"},
		"no UTF-8":             {[]pkix.Extension{names(raw(2, 1, false, []byte("\xff")))}, "", 0, "", "malformed subject"},
		"issuer, old":          {[]pkix.Extension{said(1, []byte("https://i.example"))}, "", 0, "https://i.example", ""},
		"issuer, new":          {[]pkix.Extension{said(8, utf8String("https://i.example"))}, "", 0, "https://i.example", ""},
		"two issuers":          {[]pkix.Extension{said(1, []byte("https://i.example")), said(8, utf8String("https://j.example"))}, "", 0, "", "names two issuers"},
		"bare where it is not": {[]pkix.Extension{said(8, []byte("https://i.example"))}, "", 0, "", "malformed extension issuer"},
		"twice":                {[]pkix.Extension{said(20, utf8String("push")), said(20, utf8String("push"))}, "", 0, "", "given twice"},
		"long":                 {[]pkix.Extension{said(20, utf8String(strings.Repeat("x", MaxText+1)))}, "", 0, "", "malformed extension build-trigger"},
		"not known":            {[]pkix.Extension{said(99, []byte("x"))}, "", 0, "", ""},
	} {
		c, err := Read(&x509.Certificate{Extensions: tc.extensions})
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || strings.Join(c.Subjects, " ") != tc.subjects || c.Others != tc.others || c.Issuer != tc.issuer {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for i, n := range Names() {
		if n == "" || strings.ToLower(n) != n || i > 0 && extensions[i-1].number >= extensions[i].number {
			t.Errorf("extension %q", n)
		}
	}
}

func TestUnhandled(t *testing.T) {
	t.Parallel()
	critical := []asn1.ObjectIdentifier{oidSubject, {1, 2, 3}}
	read := &x509.Certificate{Extensions: []pkix.Extension{names(other(oidOtherName, "robot"))}, UnhandledCriticalExtensions: critical}
	if left := Unhandled(read); len(left) != 1 || !left[0].Equal(critical[1]) {
		t.Errorf("%v", left)
	}
	if left := Unhandled(&x509.Certificate{UnhandledCriticalExtensions: critical}); len(left) != 2 {
		t.Error("a subject that was not read counts as handled")
	}
}
