package graft

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"io"
	"strings"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// Blocks of the signing block (Android documentation, "APK Signature Scheme v2" and "v3").
const (
	apkV2      = 0x7109871a
	apkV3      = 0xf05368c0
	apkPadding = 0x42726577
	apkMagic   = "APK Sig Block 42"
	apkStrip   = 0xbeeff00d // attribute of version 2: which newer version was removed if it is missing
)

// apkOnto puts the signing block, and the members of a jar signature where there are some, into our build.
func apkOnto(r *request) (*Grafted, error) {
	const name = allow.APKSignature
	shipped, rebuilt, err := bothZips(r)
	if err != nil || shipped == nil {
		return nil, err
	}
	end := int64(0)
	if n := len(shipped.Members); n > 0 {
		end = shipped.Members[n-1].End
	}
	block := Range{end, shipped.Directory - end}
	if block.Size < 32 {
		return nil, nil // a jar signature at most: the format of that name judges it
	}
	a := &apk{name: name, f: shipped, opt: r.opt}
	if err := a.block(block); err != nil {
		return nil, err
	}
	jar, err := checkJar(name, shipped, rebuilt, r.opt)
	if err != nil {
		return nil, err
	}
	added := func(string) bool { return false }
	if jar != nil {
		added = jarAdded
	}
	g, taken := addTo(shipped, rebuilt, added, block)
	if g == nil {
		return nil, refuse(name, "the members, or their order, are not those of the build")
	}
	return &Grafted{Content: g, Ranges: taken, Signers: append(a.signers, jar...)}, nil
}

// apk is a package whose signing block is being read.
type apk struct {
	name    string
	f       *zipFile
	opt     signature.Options
	start   int64 // of the signing block
	signers []signature.Result
}

// block reads the signing block strictly: zeros that align it, its two equal sizes, and blocks that are known.
func (a *apk) block(at Range) error {
	malformed := refuse(a.name, "malformed signing block")
	if at.Size > maxTable {
		return refuse(a.name, "exceeds limit: a signing block of %d bytes", at.Size)
	}
	b, err := read(a.f.c, at.Offset, at.Size)
	if err != nil {
		return err
	}
	size := binary.LittleEndian.Uint64(b[len(b)-24:])
	if string(b[len(b)-16:]) != apkMagic || size < 24 || size > uint64(len(b)-8) {
		return malformed
	}
	pad := b[:len(b)-8-int(size)]
	b = b[len(pad):]
	if len(bytes.Trim(pad, "\x00")) > 0 || binary.LittleEndian.Uint64(b) != size {
		return malformed
	}
	a.start = at.Offset + int64(len(pad))
	pairs := b[8 : len(b)-24]
	seen := map[uint32]bool{}
	for len(pairs) > 0 {
		if len(pairs) < 12 {
			return malformed
		}
		n := binary.LittleEndian.Uint64(pairs)
		if n < 4 || n > uint64(len(pairs)-8) {
			return malformed
		}
		id, value := binary.LittleEndian.Uint32(pairs[8:]), pairs[12:8+n]
		pairs = pairs[8+n:]
		if seen[id] {
			return malformed
		}
		seen[id] = true
		switch id {
		case apkV2, apkV3:
			if err := a.scheme(value, id == apkV3); err != nil {
				return err
			}
		case apkPadding:
			if len(bytes.Trim(value, "\x00")) > 0 || len(value) > page {
				return refuse(a.name, "padding of the signing block is not zero")
			}
		default:
			return refuse(a.name, "unknown block %#x in the signing block", id)
		}
	}
	return nil
}

// fields reads values that stand behind their lengths.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) next() []byte {
	n := f.number()
	if f.bad || uint64(n) > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) number() uint32 {
	if f.bad || len(f.b) < 4 {
		f.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(f.b)
	f.b = f.b[4:]
	return v
}

// each calls do for every value of a sequence, which must be used up.
func (f *fields) each(do func(v []byte) error) error {
	list := fields{b: f.next()}
	for !f.bad && len(list.b) > 0 {
		v := list.next()
		if list.bad {
			f.bad = true
			return nil
		}
		if err := do(v); err != nil {
			return err
		}
	}
	return nil
}

func (a *apk) scheme(value []byte, v3 bool) error {
	in := fields{b: value}
	count := 0
	err := in.each(func(signer []byte) error {
		if count++; count > maxSigners {
			return refuse(a.name, "exceeds limit: more than %d signers", maxSigners)
		}
		return a.signer(signer, v3)
	})
	if err != nil {
		return err
	}
	if in.bad || len(in.b) > 0 || count == 0 {
		return refuse(a.name, "malformed signing block")
	}
	return nil
}

// apkAlgorithms are the signature algorithms of both versions whose digests are over chunks of 1 MiB.
var apkAlgorithms = map[uint32]struct {
	hash crypto.Hash
	pss  bool
}{
	0x0101: {crypto.SHA256, true}, 0x0102: {crypto.SHA512, true}, 0x0103: {crypto.SHA256, false}, 0x0104: {crypto.SHA512, false},
	0x0201: {crypto.SHA256, false}, 0x0202: {crypto.SHA512, false},
}

// signer checks one signer: that its signatures are over its signed data, by the key of its certificate, and that the digests in
// it are those of the package.
func (a *apk) signer(value []byte, v3 bool) error {
	malformed := refuse(a.name, "malformed signer")
	in := fields{b: value}
	data := in.next()
	var sdk [2]uint32
	if v3 {
		sdk = [2]uint32{in.number(), in.number()}
	}
	signatures := map[uint32][]byte{}
	var order []uint32
	err := in.each(func(s []byte) error {
		f := fields{b: s}
		id := f.number()
		sig := f.next()
		if _, known := apkAlgorithms[id]; f.bad || len(f.b) > 0 || !known || signatures[id] != nil {
			return refuse(a.name, "unknown, malformed or repeated signature algorithm %#x", id)
		}
		signatures[id] = sig
		order = append(order, id)
		return nil
	})
	if err != nil {
		return err
	}
	key := in.next()
	if in.bad || len(in.b) > 0 || len(order) == 0 {
		return malformed
	}
	certificate, err := a.signedData(data, order, sdk, v3)
	if err != nil {
		return err
	}
	c, err := x509.ParseCertificate(certificate)
	if err != nil || !bytes.Equal(c.RawSubjectPublicKeyInfo, key) {
		return refuse(a.name, "the signer's key is not that of its certificate")
	}
	for _, id := range order {
		result := signature.VerifyRaw(data, signatures[id], certificate, apkAlgorithms[id].hash, apkAlgorithms[id].pss, a.opt)
		if err := checked(a.name, result); err != nil {
			return err
		}
		a.signers = append(a.signers, result)
	}
	return nil
}

// signedData checks the digests, one for each algorithm that signed, and returns the one certificate.
func (a *apk) signedData(data []byte, order []uint32, sdk [2]uint32, v3 bool) ([]byte, error) {
	in := fields{b: data}
	i := 0
	err := in.each(func(d []byte) error {
		f := fields{b: d}
		id := f.number()
		sum := f.next()
		if f.bad || len(f.b) > 0 || i == len(order) || id != order[i] {
			return refuse(a.name, "digests and signatures are not of the same algorithms")
		}
		i++
		want, err := a.digest(apkAlgorithms[id].hash)
		if err == nil && !bytes.Equal(sum, want) {
			err = refuse(a.name, "the signed digest is not that of the package")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var certificates [][]byte
	if err := in.each(func(c []byte) error { certificates = append(certificates, c); return nil }); err != nil {
		return nil, err
	}
	if v3 && (in.number() != sdk[0] || in.number() != sdk[1]) {
		return nil, refuse(a.name, "the versions that the signer is for differ")
	}
	if err := in.each(a.attribute(v3)); err != nil {
		return nil, err
	}
	// apksigner ends the data of version 2 with an empty value
	if in.bad || len(bytes.Trim(in.b, "\x00")) > 0 || len(in.b) > 4 || i != len(order) || len(certificates) != 1 {
		return nil, refuse(a.name, "malformed signed data, or not one certificate")
	}
	return certificates[0], nil
}

// attribute accepts what version 2 says of newer versions, and nothing else: rotation and stamps are not read.
func (a *apk) attribute(v3 bool) func([]byte) error {
	return func(v []byte) error {
		if !v3 && len(v) == 8 && binary.LittleEndian.Uint32(v) == apkStrip && binary.LittleEndian.Uint32(v[4:]) == 3 {
			return nil
		}
		return refuse(a.name, "unknown attribute of a signer")
	}
}

const apkChunk = 1 << 20

// digest is the digest over the digests of chunks of three parts: what is before the signing block, the directory, and the
// end record, which then says that the directory begins where the block does.
func (a *apk) digest(h crypto.Hash) ([]byte, error) {
	end, err := read(a.f.c, a.f.End, a.f.c.Size()-a.f.End)
	if err != nil {
		return nil, err
	}
	if len(end) < 22 || !strings.HasPrefix(string(end), "PK\x05\x06") {
		return nil, refuse(a.name, "zip64")
	}
	binary.LittleEndian.PutUint32(end[16:], uint32(a.start))
	var sums []byte
	count := uint32(0)
	buf := make([]byte, apkChunk)
	for _, p := range []*io.SectionReader{io.NewSectionReader(a.f.c, 0, a.start), io.NewSectionReader(a.f.c, a.f.Directory, a.f.End-a.f.Directory),
		io.NewSectionReader(bytes.NewReader(end), 0, int64(len(end)))} {
		for off := int64(0); off < p.Size(); off += apkChunk {
			n := min(apkChunk, p.Size()-off)
			if _, err := p.ReadAt(buf[:n], off); err != nil && err != io.EOF {
				return nil, err
			}
			w := h.New()
			w.Write(binary.LittleEndian.AppendUint32([]byte{0xa5}, uint32(n)))
			w.Write(buf[:n])
			sums = w.Sum(sums)
			count++
		}
	}
	w := h.New()
	w.Write(binary.LittleEndian.AppendUint32([]byte{0x5a}, count))
	w.Write(sums)
	return w.Sum(nil), nil
}
