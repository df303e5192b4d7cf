package graft

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"encoding/binary"
	"hash"
	"io"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// pe is what Authenticode needs of a PE file ("Windows Authenticode Portable Executable Signature Format", and the PE/COFF
// specification, "The Attribute Certificate Table").
type pe struct {
	c        Content
	checksum int64 // offsets of the two fields that signing changes
	entry    int64
	headers  int64 // SizeOfHeaders
	table    int64 // where the certificate table begins; 0 for none
	size     int64
	sections []Range
}

func readPE(c Content) (*pe, bool) {
	dos, err := read(c, 0, 64)
	if err != nil || string(dos[:2]) != "MZ" {
		return nil, false
	}
	at := int64(binary.LittleEndian.Uint32(dos[60:]))
	head, err := read(c, at, 24)
	if err != nil || string(head[:4]) != "PE\x00\x00" {
		return nil, false
	}
	opt, n := at+24, int64(binary.LittleEndian.Uint16(head[20:]))
	o, err := read(c, opt, n)
	if err != nil || n < 96 {
		return nil, false
	}
	dirs := int64(96)
	switch binary.LittleEndian.Uint16(o) {
	case 0x10b:
	case 0x20b:
		dirs = 112
	default:
		return nil, false
	}
	if n < dirs+40 || binary.LittleEndian.Uint32(o[dirs-4:]) < 5 {
		return nil, false
	}
	p := &pe{c: c, checksum: opt + 64, entry: opt + dirs + 32, headers: int64(binary.LittleEndian.Uint32(o[60:]))}
	p.table, p.size = int64(binary.LittleEndian.Uint32(o[dirs+32:])), int64(binary.LittleEndian.Uint32(o[dirs+36:]))
	count := int64(binary.LittleEndian.Uint16(head[6:]))
	if count > maxSections {
		return nil, false
	}
	table, err := read(c, opt+n, count*40)
	if err != nil {
		return nil, false
	}
	for ; len(table) > 0; table = table[40:] {
		p.sections = append(p.sections, Range{int64(binary.LittleEndian.Uint32(table[20:])), int64(binary.LittleEndian.Uint32(table[16:]))})
	}
	return p, true
}

// peOnto puts the certificate table behind our build, and the two fields that follow from it into its header.
func peOnto(r *request) (*Grafted, error) {
	const name = allow.PESignature
	s, ok := readPE(r.shipped)
	if !ok || s.table == 0 && s.size == 0 {
		return nil, nil
	}
	b, ok := readPE(r.rebuilt)
	if !ok {
		return nil, refuse(name, "what was rebuilt is no PE file")
	}
	pad := -r.rebuilt.Size() & 7
	switch {
	case b.table != 0 || b.size != 0:
		return nil, refuse(name, "what was rebuilt is signed too")
	case b.checksum != s.checksum || b.entry != s.entry || s.checksum+4 > s.entry || s.entry+8 > r.rebuilt.Size():
		return nil, refuse(name, "the headers differ")
	case s.table != r.rebuilt.Size()+pad || s.size != r.shipped.Size()-s.table || s.size > maxTable:
		return nil, refuse(name, "the certificate table does not begin where the build ends and end where the file ends")
	}
	padding, err := read(r.shipped, r.rebuilt.Size(), pad)
	if err != nil {
		return nil, err
	}
	if len(bytes.Trim(padding, "\x00")) > 0 {
		return nil, refuse(name, "padding before the certificate table is not zero")
	}
	if err := s.checkSum(name); err != nil {
		return nil, err
	}
	cms, err := s.certificate(name)
	if err != nil {
		return nil, err
	}
	content, result := signature.VerifyEmbedded(nil, cms, signature.Embedded{ContentType: oidIndirect, Attached: true}, r.opt)
	if err := checked(name, result); err != nil {
		return nil, err
	}
	if err := s.digest(name, content); err != nil {
		return nil, err
	}
	g := &Grafted{Signers: []signature.Result{result}, Ranges: []Range{{s.checksum, 4}, {s.entry, 8}, {r.rebuilt.Size(), pad + s.size}}}
	at := s.checksum + 4
	g.Content = assemble(
		part{r.rebuilt, 0, s.checksum}, part{r.shipped, s.checksum, 4}, part{r.rebuilt, at, s.entry - at}, part{r.shipped, s.entry, 8},
		part{r.rebuilt, s.entry + 8, r.rebuilt.Size() - s.entry - 8}, part{r.shipped, r.rebuilt.Size(), pad + s.size})
	return g, nil
}

// certificate returns the one signature of the table. What lies behind it, up to eight bytes, must be zero.
func (p *pe) certificate(name string) ([]byte, error) {
	t, err := read(p.c, p.table, p.size)
	if err != nil {
		return nil, err
	}
	if len(t) < 16 || binary.LittleEndian.Uint16(t[4:]) != 0x0200 || binary.LittleEndian.Uint16(t[6:]) != 2 {
		return nil, refuse(name, "malformed certificate table")
	}
	n := int64(binary.LittleEndian.Uint32(t))
	if n < 16 || n > p.size || p.size-n > 7 {
		return nil, refuse(name, "more in the certificate table than one signature")
	}
	cms := cryptobyte.String(t[8:])
	var element cryptobyte.String
	if !cms.ReadASN1Element(&element, der.SEQUENCE) {
		return nil, refuse(name, "malformed signature")
	}
	if len(cms) > 7+7 || len(bytes.Trim(cms, "\x00")) > 0 {
		return nil, refuse(name, "%d bytes behind the signature", len(cms))
	}
	return element, nil
}

// checkSum demands that the checksum is right, or was not set, as linkers and signers leave it.
func (p *pe) checkSum(name string) error {
	field, err := read(p.c, p.checksum, 4)
	if err != nil {
		return err
	}
	want, err := PEChecksum(p.c, p.checksum)
	if err != nil {
		return err
	}
	if got := binary.LittleEndian.Uint32(field); got != 0 && got != want {
		return refuse(name, "the checksum of the header is wrong")
	}
	return nil
}

// PEChecksum is the checksum of a PE file whose field lies at an offset: the sum of 16-bit words with end-around carry, the
// field itself left out, plus the length, as CheckSumMappedFile of imagehlp.dll computes it.
func PEChecksum(c Content, at int64) (uint32, error) {
	var sum uint32
	buf := make([]byte, chunk)
	for off := int64(0); off < c.Size(); off += chunk {
		n := int(min(chunk, c.Size()-off))
		if _, err := io.ReadFull(io.NewSectionReader(c, off, int64(n)), buf[:n]); err != nil {
			return 0, err
		}
		for i := int64(0); i < 4; i++ {
			if k := at + i - off; k >= 0 && k < int64(n) {
				buf[k] = 0
			}
		}
		if n%2 != 0 {
			buf[n] = 0
			n++
		}
		for i := 0; i < n; i += 2 {
			sum += uint32(binary.LittleEndian.Uint16(buf[i:]))
			sum = sum&0xffff + sum>>16
		}
	}
	return sum&0xffff + sum>>16 + uint32(c.Size()), nil
}

var (
	oidIndirect = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidPEImage  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
	oidPages    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 3, 2} // SPC_PE_IMAGE_PAGE_HASHES_V2
	oidSHA256   = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384   = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512   = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
)

// digest reads SpcIndirectDataContent strictly and holds its digest against the file.
func (p *pe) digest(name string, content []byte) error {
	malformed := refuse(name, "malformed SpcIndirectDataContent")
	in := cryptobyte.String(content)
	var data, image, info, algorithm, sum, null cryptobyte.String
	var oid, hashOID asn1.ObjectIdentifier
	if !in.ReadASN1(&data, der.SEQUENCE) || !in.ReadASN1(&info, der.SEQUENCE) || !in.Empty() ||
		!data.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidPEImage) || !data.ReadASN1(&image, der.SEQUENCE) || !data.Empty() ||
		!info.ReadASN1(&algorithm, der.SEQUENCE) || !info.ReadASN1(&sum, der.OCTET_STRING) || !info.Empty() ||
		!algorithm.ReadASN1ObjectIdentifier(&hashOID) {
		return malformed
	}
	if !algorithm.Empty() && (!algorithm.ReadASN1(&null, der.NULL) || len(null) > 0 || !algorithm.Empty()) {
		return malformed
	}
	var h crypto.Hash
	switch {
	case hashOID.Equal(oidSHA256):
		h = crypto.SHA256
	case hashOID.Equal(oidSHA384):
		h = crypto.SHA384
	case hashOID.Equal(oidSHA512):
		h = crypto.SHA512
	default:
		return refuse(name, "digest algorithm %s", hashOID)
	}
	w := h.New()
	if err := p.hashed(w, 0, p.table); err != nil {
		return err
	}
	if !bytes.Equal(w.Sum(nil), sum) {
		return refuse(name, "the signed digest is not that of the file")
	}
	return p.image(name, image)
}

// hashed writes what Authenticode hashes of a range: all but the checksum, the directory entry, and the table.
func (p *pe) hashed(w io.Writer, from, to int64) error {
	for _, skip := range []Range{{p.checksum, 4}, {p.entry, 8}, {to, 0}} {
		if skip.Offset < from || skip.Offset > to {
			continue
		}
		if _, err := io.Copy(w, io.NewSectionReader(p.c, from, skip.Offset-from)); err != nil {
			return err
		}
		from = skip.Offset + skip.Size
	}
	return nil
}

// obsolete is what signers write where SpcPeImageData has no page hashes: an empty link, or "<<<Obsolete>>>" in UTF-16.
var obsolete = []byte("\x00<\x00<\x00<\x00O\x00b\x00s\x00o\x00l\x00e\x00t\x00e\x00>\x00>\x00>")

// image reads SpcPeImageData: flags, and a link that says nothing or holds page hashes.
func (p *pe) image(name string, image cryptobyte.String) error {
	malformed := refuse(name, "malformed SpcPeImageData")
	var flags, file, link, object, text cryptobyte.String
	if !image.ReadASN1(&flags, der.BIT_STRING) || !spcFlags(flags) {
		return malformed
	}
	tag0, tag1, tag2 := der.Tag(0).ContextSpecific(), der.Tag(1).ContextSpecific(), der.Tag(2).ContextSpecific()
	if !image.ReadASN1(&link, tag0.Constructed()) || !image.Empty() {
		return malformed
	}
	switch {
	case link.PeekASN1Tag(tag2.Constructed()):
		if !link.ReadASN1(&file, tag2.Constructed()) || !link.Empty() || !file.ReadASN1(&text, tag0) || !file.Empty() ||
			len(text) > 0 && !bytes.Equal(text, obsolete) {
			return malformed
		}
		return nil
	case link.PeekASN1Tag(tag1.Constructed()):
		if !link.ReadASN1(&object, tag1.Constructed()) || !link.Empty() {
			return malformed
		}
		return p.pages(name, object)
	}
	return malformed
}

// spcFlags accepts none of the three flags, or some of them (includeResources, includeDebugInfo, includeImportAddressTable).
func spcFlags(b []byte) bool {
	return len(b) == 1 && b[0] == 0 || len(b) == 2 && b[0] >= 5 && b[0] <= 7 && b[1]&(1<<b[0]-1) == 0
}

// pagesClass marks SpcSerializedObject as page hashes.
var pagesClass = []byte{0xa6, 0xb5, 0x86, 0xd5, 0xb4, 0xa1, 0x24, 0x66, 0xae, 0x05, 0xa2, 0x17, 0xda, 0x8e, 0x60, 0xd6}

// pages holds the hash of every page against the file: pairs of offset and SHA-256, one for the headers, one for each page
// of each section, and an end.
func (p *pe) pages(name string, object cryptobyte.String) error {
	malformed := refuse(name, "malformed page hashes")
	var class, serial, set, attribute, values, list cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !object.ReadASN1(&class, der.OCTET_STRING) || !bytes.Equal(class, pagesClass) || !object.ReadASN1(&serial, der.OCTET_STRING) || !object.Empty() ||
		!serial.ReadASN1(&set, der.SET) || !serial.Empty() || !set.ReadASN1(&attribute, der.SEQUENCE) || !set.Empty() ||
		!attribute.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidPages) || !attribute.ReadASN1(&values, der.SET) || !attribute.Empty() ||
		!values.ReadASN1(&list, der.OCTET_STRING) || !values.Empty() || len(list)%36 != 0 || len(list)/36 > maxPages {
		return malformed
	}
	want, err := p.pageList()
	if err != nil {
		return err
	}
	if !bytes.Equal(list, want) {
		return refuse(name, "a page hash is not that of the file")
	}
	return nil
}

const page = 4096

func (p *pe) pageList() ([]byte, error) {
	var out []byte
	add := func(at int64, h hash.Hash) {
		out = binary.LittleEndian.AppendUint32(out, uint32(at))
		if h == nil {
			out = append(out, make([]byte, 32)...)
			return
		}
		out = h.Sum(out)
	}
	h := crypto.SHA256.New()
	if err := p.hashed(h, 0, p.headers); err != nil {
		return nil, err
	}
	h.Write(make([]byte, -p.headers&(page-1)))
	add(0, h)
	last := p.headers
	for _, s := range p.sections {
		for off := int64(0); off < s.Size; off += page {
			if len(out) > maxPages*36 {
				return nil, refuse(allow.PESignature, "exceeds limit: more than %d pages", maxPages)
			}
			n := min(page, s.Size-off)
			b, err := read(p.c, s.Offset+off, n)
			if err != nil {
				return nil, err
			}
			h := crypto.SHA256.New()
			h.Write(b)
			h.Write(make([]byte, page-n))
			add(s.Offset+off, h)
		}
		last = max(last, s.Offset+s.Size)
	}
	add(last, nil)
	return out, nil
}
