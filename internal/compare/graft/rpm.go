package graft

import (
	"bytes"
	"crypto/md5"  // the format's own checksum, beside the others; nothing rests on it
	"crypto/sha1" // as above
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"slices"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// Tags of the signature header (RPM package format, version 4).
const (
	tagRegion      = 62
	tagDSAHeader   = 267
	tagRSAHeader   = 268
	tagSHA1        = 269
	tagLongSize    = 270
	tagLongArchive = 271
	tagSHA256      = 273
	tagSize        = 1000
	tagMD5         = 1004
	tagPayloadSize = 1007
	tagReserved    = 1008
)

const rpmLead = 96

// rpmTag is one entry and its data.
type rpmTag struct {
	tag, kind, count uint32
	data             []byte
}

// rpmOnto takes the signature header of the shipped package and everything else from our build.
func rpmOnto(r *request) (*Grafted, error) {
	const name = allow.RPMSignature
	lead, err := read(r.shipped, 0, min(rpmLead, r.shipped.Size()))
	if err != nil || len(lead) < rpmLead || string(lead[:4]) != "\xed\xab\xee\xdb" {
		return nil, err
	}
	shipped, end, err := rpmSignature(name, r.shipped)
	if err != nil {
		return nil, err
	}
	ours, from, err := rpmSignature(name, r.rebuilt)
	if err != nil {
		return nil, err
	}
	signed := func(t rpmTag) bool { return t.tag == tagRSAHeader || t.tag == tagDSAHeader }
	if !slices.ContainsFunc(shipped, signed) {
		return nil, nil
	}
	if slices.ContainsFunc(ours, signed) {
		return nil, refuse(name, "what was rebuilt is signed too")
	}
	header, err := rpmHeader(name, r.shipped, end)
	if err != nil {
		return nil, err
	}
	g := &Grafted{Ranges: []Range{{rpmLead, end - rpmLead}}}
	for _, t := range shipped {
		if signed(t) {
			result := signature.VerifyPackets(header, t.data, r.opt)
			if err := checked(name, result); err != nil {
				return nil, err
			}
			g.Signers = append(g.Signers, result)
			continue
		}
		if err := t.check(r.shipped, header, end, ours); err != nil {
			return nil, err
		}
	}
	g.Content = assemble(part{r.rebuilt, 0, rpmLead}, part{r.shipped, rpmLead, end - rpmLead}, part{r.rebuilt, from, r.rebuilt.Size() - from})
	return g, nil
}

// check holds one tag against the package: nothing in the signature header is free.
func (t rpmTag) check(c Content, header []byte, end int64, ours []rpmTag) error {
	bad := refuse(allow.RPMSignature, "tag %d of the signature header is not that of the package", t.tag)
	rest := c.Size() - end
	want := func(b []byte) error {
		if !bytes.Equal(t.data, b) {
			return bad
		}
		return nil
	}
	switch t.tag {
	case tagRegion:
		return nil // checked with the index
	case tagSize:
		return want(binary.BigEndian.AppendUint32(nil, uint32(rest)))
	case tagLongSize:
		return want(binary.BigEndian.AppendUint64(nil, uint64(rest)))
	case tagSHA1:
		s := sha1.Sum(header)
		return want(append([]byte(hex.EncodeToString(s[:])), 0))
	case tagSHA256:
		s := sha256.Sum256(header)
		return want(append([]byte(hex.EncodeToString(s[:])), 0))
	case tagMD5:
		h := md5.New()
		if err := copyHash(h, c, end); err != nil {
			return err
		}
		return want(h.Sum(nil))
	case tagPayloadSize, tagLongArchive: // of the payload before compression: our build says it too
		if i := slices.IndexFunc(ours, func(o rpmTag) bool { return o.tag == t.tag }); i >= 0 {
			return want(ours[i].data)
		}
		return bad
	case tagReserved:
		if len(t.data) > maxReserved || len(bytes.Trim(t.data, "\x00")) > 0 {
			return refuse(allow.RPMSignature, "reserved space is not empty")
		}
		return nil
	}
	return refuse(allow.RPMSignature, "unknown tag %d in the signature header", t.tag)
}

// copyAll reads r to its end.
func copyAll(h hash.Hash, r io.Reader) error {
	_, err := io.Copy(h, r)
	return err
}

func copyHash(h hash.Hash, c Content, from int64) error {
	_, err := io.Copy(h, io.NewSectionReader(c, from, c.Size()-from))
	return err
}

// rpmSignature reads the signature header strictly and returns its tags and where the header begins that follows.
func rpmSignature(name string, c Content) ([]rpmTag, int64, error) {
	malformed := refuse(name, "malformed signature header")
	intro, err := read(c, rpmLead, 16)
	if err != nil {
		return nil, 0, err
	}
	n, size := int64(binary.BigEndian.Uint32(intro[8:])), int64(binary.BigEndian.Uint32(intro[12:]))
	if string(intro[:8]) != "\x8e\xad\xe8\x01\x00\x00\x00\x00" || n < 1 || n > maxTags || size > maxTable {
		return nil, 0, malformed
	}
	body, err := read(c, rpmLead+16, n*16+size+(-size&7))
	if err != nil {
		return nil, 0, err
	}
	index, store, pad := body[:n*16], body[n*16:n*16+size], body[n*16+size:]
	if len(bytes.Trim(pad, "\x00")) > 0 {
		return nil, 0, refuse(name, "padding of the signature header is not zero")
	}
	tags, err := rpmTags(name, index, store)
	return tags, rpmLead + 16 + int64(len(body)), err
}

// rpmTags reads entries whose data must cover the store, but for zeros that align numbers. The first is the region, whose
// data is a copy of its own entry at the end of the store.
func rpmTags(name string, index, store []byte) ([]rpmTag, error) {
	malformed := refuse(name, "malformed signature header")
	type place struct{ at, end int }
	var tags []rpmTag
	var places []place
	for i := 0; i < len(index); i += 16 {
		e := index[i : i+16]
		t := rpmTag{tag: binary.BigEndian.Uint32(e), kind: binary.BigEndian.Uint32(e[4:]), count: binary.BigEndian.Uint32(e[12:])}
		at := int(binary.BigEndian.Uint32(e[8:]))
		width := map[uint32]int{2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[t.kind]
		if at < 0 || at > len(store) || t.count == 0 || int64(t.count) > int64(len(store)) {
			return nil, malformed
		}
		n := width * int(t.count)
		if t.kind == 6 && t.count == 1 {
			n = bytes.IndexByte(store[at:], 0) + 1
		}
		if n <= 0 || n > len(store)-at || slices.ContainsFunc(tags, func(o rpmTag) bool { return o.tag == t.tag }) {
			return nil, malformed
		}
		t.data = store[at : at+n]
		tags, places = append(tags, t), append(places, place{at, at + n})
	}
	region := binary.BigEndian.AppendUint32(nil, tagRegion)
	region = binary.BigEndian.AppendUint32(region, 7)
	region = binary.BigEndian.AppendUint32(region, uint32(-int32(len(index))))
	region = binary.BigEndian.AppendUint32(region, 16)
	if tags[0].tag != tagRegion || tags[0].kind != 7 || !bytes.Equal(tags[0].data, region) {
		return nil, malformed
	}
	slices.SortFunc(places, func(a, b place) int { return a.at - b.at })
	end := 0
	for _, p := range places {
		if p.at < end || p.at-end > 7 || len(bytes.Trim(store[end:p.at], "\x00")) > 0 {
			return nil, refuse(name, "bytes of the signature header belong to no tag")
		}
		end = p.end
	}
	if end != len(store) {
		return nil, refuse(name, "bytes of the signature header belong to no tag")
	}
	return tags, nil
}

// rpmHeader returns the header itself, which is what is signed.
func rpmHeader(name string, c Content, at int64) ([]byte, error) {
	intro, err := read(c, at, 16)
	if err != nil {
		return nil, err
	}
	n, size := int64(binary.BigEndian.Uint32(intro[8:])), int64(binary.BigEndian.Uint32(intro[12:]))
	if string(intro[:4]) != "\x8e\xad\xe8\x01" || n > maxRead/16 || size > maxRead {
		return nil, refuse(name, "malformed header")
	}
	return read(c, at, 16+n*16+size)
}
