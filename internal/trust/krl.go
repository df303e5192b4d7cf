package trust

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // a list may name keys by SHA-1; nothing is trusted for it, only revoked
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// krlMagic opens an OpenSSH key revocation list (PROTOCOL.krl).
const krlMagic = "SSHKRL\n\x00"

// krl is a key revocation list. It is read whole or refused: a section that is not understood could be the one that
// names the key.
type krl struct {
	keys   map[[32]byte]bool // SHA-256 of the key's wire format
	sha1s  map[[20]byte]bool
	bundle []krlAuthority
}

// krlAuthority revokes certificates of one authority, of every authority when ca is empty.
type krlAuthority struct {
	ca      []byte
	ranges  [][2]uint64 // serials, both ends included
	bitmaps []serialBitmap
	ids     map[string]bool
}

type serialBitmap struct {
	offset uint64
	bits   []byte // big-endian number: bit i stands for serial offset+i
}

// section and subsection types of PROTOCOL.krl.
const (
	krlCertificates = 1
	krlKeys         = 2
	krlSHA1         = 3
	krlSignature    = 4
	krlSHA256       = 5
	krlExtension    = 255

	krlSerials   = 0x20
	krlRange     = 0x21
	krlBitmap    = 0x22
	krlIDs       = 0x23
	krlSubExtend = 0x39
)

func parseKRL(data []byte) (*krl, error) {
	if len(data) > MaxKRL {
		return nil, malformedKRL("exceeds %d bytes", MaxKRL)
	}
	r := wire{rest: data[len(krlMagic):]}
	if version := r.uint32(); version != 1 {
		return nil, malformedKRL("format version %d", version)
	}
	r.uint64() // the list's own version
	r.uint64() // when it was made
	r.uint64() // flags, "reserved, ignored"
	r.bytes()  // reserved
	r.bytes()  // comment
	k := &krl{keys: map[[32]byte]bool{}, sha1s: map[[20]byte]bool{}}
	for !r.failed && len(r.rest) > 0 {
		kind, body := r.byte(), r.bytes()
		if r.failed {
			break
		}
		if err := k.section(kind, body); err != nil {
			return nil, err
		}
	}
	if r.failed {
		return nil, malformedKRL("truncated")
	}
	return k, nil
}

func (k *krl) section(kind byte, body []byte) error {
	r := wire{rest: body}
	switch kind {
	case krlCertificates:
		return k.certificates(body)
	case krlKeys:
		for !r.failed && len(r.rest) > 0 {
			k.keys[sha256.Sum256(r.bytes())] = true
		}
	case krlSHA1, krlSHA256:
		for !r.failed && len(r.rest) > 0 {
			switch digest := r.bytes(); {
			case kind == krlSHA1 && len(digest) == sha1.Size:
				k.sha1s[[20]byte(digest)] = true
			case kind == krlSHA256 && len(digest) == sha256.Size:
				k.keys[[32]byte(digest)] = true
			default:
				return malformedKRL("fingerprint of %d bytes", len(digest))
			}
		}
	case krlSignature:
		return malformedKRL("signed lists are unsupported")
	case krlExtension:
		name, critical := r.bytes(), r.byte()
		r.bytes()
		if critical != 0 {
			return malformedKRL("unknown critical extension %q", name)
		}
	default:
		return malformedKRL("unknown section %d", kind)
	}
	if r.failed || len(r.rest) > 0 {
		return malformedKRL("section %d is malformed", kind)
	}
	return nil
}

func (k *krl) certificates(body []byte) error {
	r := wire{rest: body}
	a := krlAuthority{ca: r.bytes(), ids: map[string]bool{}}
	r.bytes() // reserved
	for !r.failed && len(r.rest) > 0 {
		kind, sub := r.byte(), r.bytes()
		if r.failed {
			break
		}
		if err := a.subsection(kind, sub); err != nil {
			return err
		}
	}
	if r.failed {
		return malformedKRL("certificate section is malformed")
	}
	k.bundle = append(k.bundle, a)
	return nil
}

func (a *krlAuthority) subsection(kind byte, body []byte) error {
	r := wire{rest: body}
	switch kind {
	case krlSerials:
		for !r.failed && len(r.rest) > 0 {
			serial := r.uint64()
			a.ranges = append(a.ranges, [2]uint64{serial, serial})
		}
	case krlRange:
		low, high := r.uint64(), r.uint64()
		if low > high {
			return malformedKRL("serial range ends before it begins")
		}
		a.ranges = append(a.ranges, [2]uint64{low, high})
	case krlBitmap:
		offset, bits := r.uint64(), r.bytes()
		if len(bits) > MaxKRLBitmap {
			return malformedKRL("bitmap exceeds %d bytes", MaxKRLBitmap)
		}
		a.bitmaps = append(a.bitmaps, serialBitmap{offset, slices.Clone(bits)})
	case krlIDs:
		for !r.failed && len(r.rest) > 0 {
			a.ids[string(r.bytes())] = true
		}
	case krlSubExtend:
		name, critical := r.bytes(), r.byte()
		r.bytes()
		if critical != 0 {
			return malformedKRL("unknown critical extension %q", name)
		}
	default:
		return malformedKRL("unknown certificate section %#x", kind)
	}
	if r.failed || len(r.rest) > 0 {
		return malformedKRL("certificate section %#x is malformed", kind)
	}
	return nil
}

// key tells whether a key, or a certificate as a whole, is named by itself or by its digest.
func (k *krl) key(blob []byte) bool {
	return k.keys[sha256.Sum256(blob)] || k.sha1s[sha1.Sum(blob)] //nolint:gosec // see the import
}

// certificate tells whether a certificate is named by serial or key id. As in OpenSSH a serial of zero is never
// revoked by number, because it is what authorities write that do not number their certificates.
func (k *krl) certificate(c *ssh.Certificate) bool {
	ca := c.SignatureKey.Marshal()
	return slices.ContainsFunc(k.bundle, func(a krlAuthority) bool {
		if len(a.ca) > 0 && !bytes.Equal(a.ca, ca) {
			return false
		}
		return a.ids[c.KeyId] || c.Serial != 0 && a.serial(c.Serial)
	})
}

func (a *krlAuthority) serial(n uint64) bool {
	for _, r := range a.ranges {
		if r[0] <= n && n <= r[1] {
			return true
		}
	}
	for _, b := range a.bitmaps {
		if n < b.offset || (n-b.offset)/8 >= uint64(len(b.bits)) {
			continue
		}
		bit := n - b.offset
		if b.bits[uint64(len(b.bits))-1-bit/8]&(1<<(bit%8)) != 0 {
			return true
		}
	}
	return false
}

func malformedKRL(format string, args ...any) error {
	return fault.Usagef("key revocation list", format, args...)
}

// wire reads the SSH wire format (RFC 4251, section 5); after a short read everything is zero and failed is set.
type wire struct {
	rest   []byte
	failed bool
}

func (w *wire) take(n uint64) []byte {
	if w.failed || n > uint64(len(w.rest)) {
		w.failed, w.rest = true, nil
		return nil
	}
	out := w.rest[:n]
	w.rest = w.rest[n:]
	return out
}

func (w *wire) byte() byte {
	if b := w.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (w *wire) uint32() uint32 {
	if b := w.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (w *wire) uint64() uint64 {
	if b := w.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (w *wire) bytes() []byte { return w.take(uint64(w.uint32())) }

// sshDigest tells whether text is the base64 of a SHA-256 digest as SSH fingerprints write it.
func sshDigest(text string) bool {
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return err == nil && len(raw) == sha256.Size
}
