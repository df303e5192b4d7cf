package graft

import (
	"bytes"
	"crypto"
	"encoding/binary"

	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// Blobs of an embedded signature, and their places in its index (Apple's cs_blobs.h).
const (
	csSuper        = 0xfade0cc0
	csDirectory    = 0xfade0c02
	csRequirements = 0xfade0c01
	csRequirement  = 0xfade0c00
	csEntitlements = 0xfade7171
	csEntitleDER   = 0xfade7172
	csWrapper      = 0xfade0b01

	slotDirectory    = 0
	slotInfo         = 1
	slotRequirements = 2
	slotEntitlements = 5
	slotEntitleDER   = 7
	slotSignature    = 0x10000

	flagAdHoc   = 0x2
	flagRuntime = 0x10000
	flagLinker  = 0x20000
)

var slotMagic = map[uint32]uint32{slotDirectory: csDirectory, slotRequirements: csRequirements, slotEntitlements: csEntitlements,
	slotEntitleDER: csEntitleDER, slotSignature: csWrapper}

// verify reads the signature to the last byte, holds every digest in it against the file, and judges who signed. What it
// grants must be what the build's own signature grants.
func (m *macho) verify(name string, b *macho, opt signature.Options) (r signature.Result, adHoc bool, err error) {
	blobs, err := m.blobs(name)
	if err != nil {
		return r, false, err
	}
	for _, slot := range []uint32{slotEntitlements, slotEntitleDER} {
		if blobs[slot] == nil {
			continue
		}
		ours := map[uint32][]byte{}
		if b.sign != 0 {
			if ours, err = b.blobs(name); err != nil {
				return r, false, err
			}
		}
		if !bytes.Equal(ours[slot], blobs[slot]) {
			return r, false, refuse(name, "entitlements that the build does not have")
		}
	}
	if err := checkRequirements(name, blobs[slotRequirements]); err != nil {
		return r, false, err
	}
	flags, err := m.directory(name, blobs)
	if err != nil {
		return r, false, err
	}
	cms := blobs[slotSignature]
	if len(cms) <= 8 {
		if flags&flagAdHoc == 0 {
			return r, false, refuse(name, "nobody signed, and the flags do not say so")
		}
		return r, true, nil
	}
	if flags&(flagAdHoc|flagLinker) != 0 {
		return r, false, refuse(name, "signed, and the flags say that nobody did")
	}
	_, r = signature.VerifyEmbedded(blobs[slotDirectory], cms[8:], signature.Embedded{}, opt)
	return r, false, checked(name, r)
}

// blobs reads the index. Blobs must follow each other without a gap, and what is behind them must be zero.
func (m *macho) blobs(name string) (map[uint32][]byte, error) {
	malformed := refuse(name, "malformed signature")
	data, err := read(m.c, m.data.Offset, m.data.Size)
	if err != nil {
		return nil, err
	}
	be := binary.BigEndian
	if len(data) < 12 || be.Uint32(data) != csSuper || int64(be.Uint32(data[4:])) > int64(len(data)) {
		return nil, malformed
	}
	body, rest := data[:be.Uint32(data[4:])], data[be.Uint32(data[4:]):]
	n := int(be.Uint32(data[8:]))
	if len(bytes.Trim(rest, "\x00")) > 0 || n > len(slotMagic) || len(body) < 12+8*n {
		return nil, refuse(name, "something lies behind the signature, or there are more parts than there can be")
	}
	blobs := map[uint32][]byte{}
	at := 12 + 8*n
	for i := range n {
		slot, off := be.Uint32(body[12+8*i:]), int(be.Uint32(body[16+8*i:]))
		magic, known := slotMagic[slot]
		if !known || blobs[slot] != nil || off != at || len(body)-at < 8 || be.Uint32(body[at:]) != magic {
			return nil, refuse(name, "an unknown, repeated or displaced part %#x", slot)
		}
		length := int(be.Uint32(body[at+4:]))
		if length < 8 || length > len(body)-at {
			return nil, malformed
		}
		blobs[slot] = body[at : at+length]
		at += length
	}
	if at != len(body) || blobs[slotDirectory] == nil {
		return nil, malformed
	}
	return blobs, nil
}

var (
	csIdentifier = pattern.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	csTeam       = pattern.New(`^[A-Z0-9]{10}$`)
	csHashes     = map[byte]crypto.Hash{2: crypto.SHA256, 4: crypto.SHA384}
)

// directory reads the code directory: header, identifier, team, digests of the other parts, digests of the pages. Nothing
// else may be in it.
func (m *macho) directory(name string, blobs map[uint32][]byte) (flags uint32, err error) {
	malformed := refuse(name, "malformed code directory")
	d, be := blobs[slotDirectory], binary.BigEndian
	if len(d) < 44 {
		return 0, malformed
	}
	version, flags := be.Uint32(d[8:]), be.Uint32(d[12:])
	hashes, ident := int(be.Uint32(d[16:])), int(be.Uint32(d[20:]))
	special, code, limit := int(be.Uint32(d[24:])), int(be.Uint32(d[28:])), int64(be.Uint32(d[32:]))
	head := map[uint32]int{0x20001: 44, 0x20100: 48, 0x20200: 52, 0x20300: 64, 0x20400: 88, 0x20500: 96}[version]
	h, known := csHashes[d[37]]
	switch {
	case head == 0 || len(d) < head || !known || int(d[36]) != h.Size() || d[38] != 0 || be.Uint32(d[40:]) != 0 || d[39] < 12 || d[39] > 14:
		return 0, refuse(name, "a code directory of an unknown version or digest")
	case limit != m.data.Offset || special > 16 || flags&^uint32(flagAdHoc|flagRuntime|flagLinker) != 0:
		return 0, refuse(name, "the code directory does not cover the file, or has unknown flags %#x", flags)
	case code != int((limit+1<<d[39]-1)>>d[39]):
		return 0, malformed
	}
	team := 0
	if head >= 52 {
		team = int(be.Uint32(d[48:]))
	}
	if err := m.header(name, d[44:head], flags); err != nil {
		return 0, err
	}
	at := head
	for _, s := range []struct {
		off int
		as  *pattern.Pattern
	}{{ident, csIdentifier}, {team, csTeam}} {
		if s.off == 0 {
			continue
		}
		n := bytes.IndexByte(d[min(at, len(d)):], 0)
		if s.off != at || n < 0 || !s.as.Regexp().Match(d[at:at+n]) {
			return 0, refuse(name, "an identifier or team of other letters, or in another place")
		}
		at += n + 1
	}
	size := h.Size()
	if hashes != at+special*size || len(d) != hashes+code*size {
		return 0, refuse(name, "bytes of the code directory belong to nothing")
	}
	plist, err := read(m.c, m.plist.Offset, m.plist.Size)
	if err != nil {
		return 0, err
	}
	if err := checkSpecial(name, d[at:hashes], special, h, blobs, plist); err != nil {
		return 0, err
	}
	return flags, m.pagesHold(name, d[hashes:], h, int64(1)<<d[39], limit)
}

// header reads the fields that newer versions add: a scatter vector, which nobody uses; the team's place, which was read;
// a limit of 64 bits; the executable segment; the version of the hardened run time.
func (m *macho) header(name string, d []byte, flags uint32) error {
	be := binary.BigEndian
	zero := func(from, to int) bool { return len(d) < to || len(bytes.Trim(d[from:to], "\x00")) == 0 }
	bad := refuse(name, "unknown values in the code directory")
	if !zero(0, 4) || !zero(8, 20) {
		return bad
	}
	if len(d) >= 44 {
		if be.Uint64(d[20:]) != uint64(m.text.Offset) || be.Uint64(d[28:]) != uint64(m.text.Size) || be.Uint64(d[36:]) > 1 {
			return bad
		}
	}
	if len(d) >= 52 && (flags&flagRuntime == 0 && be.Uint32(d[44:]) != 0 || be.Uint32(d[48:]) != 0) {
		return bad
	}
	return nil
}

// checkSpecial holds the digests of the other parts, which lie in reverse order of their slots. An Info.plist may lie in the program itself;
// files outside (that of a bundle, resources) cannot be checked and must not be bound.
func checkSpecial(name string, sums []byte, n int, h crypto.Hash, blobs map[uint32][]byte, plist []byte) error {
	size := h.Size()
	for slot := 1; slot <= n; slot++ {
		sum := sums[(n-slot)*size : (n-slot+1)*size]
		want := make([]byte, size)
		b := blobs[uint32(slot)]
		if slot == slotInfo && len(plist) > 0 && !bytes.Equal(sum, want) { // linkers do not bind it
			b = plist
		}
		if b != nil {
			w := h.New()
			w.Write(b)
			want = w.Sum(nil)
		}
		if !bytes.Equal(sum, want) {
			return refuse(name, "the digest of part %d is not that of the signature, or binds a file outside", slot)
		}
	}
	for _, slot := range []uint32{slotRequirements, slotEntitlements, slotEntitleDER} {
		if blobs[slot] != nil && int(slot) > n {
			return refuse(name, "part %d is not covered", slot)
		}
	}
	return nil
}

func (m *macho) pagesHold(name string, sums []byte, h crypto.Hash, size, limit int64) error {
	for at := int64(0); at < limit; at += size {
		b, err := read(m.c, at, min(size, limit-at))
		if err != nil {
			return err
		}
		w := h.New()
		w.Write(b)
		if !bytes.Equal(w.Sum(nil), sums[:h.Size()]) {
			return refuse(name, "the digest of the page at %d is not that of the file", at)
		}
		sums = sums[h.Size():]
	}
	return nil
}

// checkRequirements reads a set of requirements: what other programs may demand of this one's signature. Every byte
// must be part of an expression of the language.
func checkRequirements(name string, b []byte) error {
	if b == nil {
		return nil
	}
	malformed := refuse(name, "malformed requirements")
	be := binary.BigEndian
	if len(b) < 12 || len(b) > 4096 {
		return malformed
	}
	n := int(be.Uint32(b[8:]))
	if n > 4 || len(b) < 12+8*n {
		return malformed
	}
	at := 12 + 8*n
	for i := range n {
		kind, off := be.Uint32(b[12+8*i:]), int(be.Uint32(b[16+8*i:]))
		if kind < 1 || kind > 5 || off != at || len(b)-at < 12 || be.Uint32(b[at:]) != csRequirement || be.Uint32(b[at+8:]) != 1 {
			return malformed
		}
		length := int(be.Uint32(b[at+4:]))
		if length < 12 || length > len(b)-at {
			return malformed
		}
		e := &expression{b: b[at+12 : at+length]}
		if !e.read(0) || len(e.b) > 0 {
			return refuse(name, "a requirement that is none")
		}
		at += length
	}
	if at != len(b) {
		return malformed
	}
	return nil
}

// expression is a compiled requirement (Apple's requirement.h): operators in front of their operands.
type expression struct{ b []byte }

func (e *expression) number() (uint32, bool) {
	if len(e.b) < 4 {
		return 0, false
	}
	v := binary.BigEndian.Uint32(e.b)
	e.b = e.b[4:]
	return v, true
}

// data reads a short string, its padding to four bytes being zero.
func (e *expression) data() bool {
	n, ok := e.number()
	size := int(n+3) &^ 3
	if !ok || n > 128 || size > len(e.b) || len(bytes.Trim(e.b[n:size], "\x00")) > 0 {
		return false
	}
	e.b = e.b[size:]
	return true
}

// match reads how a value is matched: that it exists, or against a string.
func (e *expression) match() bool {
	op, ok := e.number()
	return ok && (op == 0 || op <= 8 && e.data())
}

func (e *expression) read(depth int) bool {
	op, ok := e.number()
	if !ok || depth > 16 {
		return false
	}
	slot := func() bool { _, ok := e.number(); return ok }
	switch op {
	case 0, 1, 3, 13, 15: // never, always, anchor apple, anchor trusted, anchor apple generic
		return true
	case 2, 8: // identifier, code directory hash
		return e.data()
	case 4: // anchor by hash
		return slot() && e.data()
	case 6, 7: // and, or
		left := e.read(depth + 1)
		return left && e.read(depth+1)
	case 9: // not
		return e.read(depth + 1)
	case 10: // a key of Info.plist
		return e.data() && e.match()
	case 11, 14: // a field or an extension of a certificate
		return slot() && e.data() && e.match()
	case 12: // a trusted certificate
		return slot()
	}
	return false
}

// slice is one run of bytes as a file.
func slice(c Content, r Range) Content { return assemble(part{c, r.Offset, r.Size}) }
