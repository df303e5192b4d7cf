package signature

import (
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

var (
	errPacket    = errors.New("malformed signature packet")
	errAmbiguous = errors.New("more than one packet: ambiguous")
)

// unsupportedError says what the signature asks for that is not accepted.
type unsupportedError string

func (e unsupportedError) Error() string { return string(e) }

// typeText is a signature over text, which leaves open how lines end (RFC 9580, section 5.2.1.2).
const typeText = 0x01

// pgpSignature is the outside of one signature packet. The library parses it once more for the arithmetic; this
// parser sees to it that there is nothing in the packet that nobody looks at.
type pgpSignature struct {
	packet  []byte // the whole packet, header included
	algo    byte
	hash    crypto.Hash
	suffix  []byte // what is hashed behind the document: version up to the hashed subpackets, and the trailer
	tag     [2]byte
	salt    []byte
	version byte
	text    bool // over the document with its line ends rewritten

	created  time.Time
	lifetime uint32 // seconds, 0: does not expire
	issuer   uint64 // key id, 0: not said
	printed  string // issuer fingerprint in upper-case hex, "": not said
	loose    []looseIssuer
}

// looseIssuer is an issuer named outside the signed part; it must agree with the key that verifies.
type looseIssuer struct {
	id      uint64
	printed string
}

// parsePGP reads exactly one signature packet.
func parsePGP(data []byte) (*pgpSignature, error) {
	body, rest, err := cutPacket(data)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errAmbiguous
	}
	s := &pgpSignature{packet: data}
	if len(body) < 1 {
		return nil, errPacket
	}
	s.version = body[0]
	lengthSize := 2
	switch s.version {
	case 4:
	case 6:
		lengthSize = 4
	default:
		return nil, unsupportedError(fmt.Sprintf("OpenPGP signature version %d", s.version))
	}
	if len(body) < 4+lengthSize {
		return nil, errPacket
	}
	if body[1] > typeText { // the rest are about keys
		return nil, unsupportedError(fmt.Sprintf("OpenPGP signature type 0x%02x, want one over data", body[1]))
	}
	s.text = body[1] == typeText
	s.algo = body[2]
	if s.hash, err = pgpHash(body[3]); err != nil {
		return nil, err
	}
	hashed, after, ok := cutSized(body[4:], lengthSize)
	if !ok {
		return nil, errPacket
	}
	s.suffix = trailer(s.version, body[:4+lengthSize+len(hashed)])
	loose, after, ok := cutSized(after, lengthSize)
	if !ok || len(after) < 2 {
		return nil, errPacket
	}
	if err := s.subpackets(hashed, true); err != nil {
		return nil, err
	}
	if s.created.IsZero() {
		return nil, errors.New("no creation time in the signed part")
	}
	if err := s.subpackets(loose, false); err != nil {
		return nil, err
	}
	s.tag, after = [2]byte(after[:2]), after[2:]
	if s.version == 6 {
		if len(after) < 1 || len(after) < 1+int(after[0]) {
			return nil, errPacket
		}
		s.salt, after = after[1:1+int(after[0])], after[1+int(after[0]):]
	}
	return s, checkMPIs(s.algo, after)
}

// cutPacket takes one signature packet with a definite length (RFC 9580, section 4.2).
func cutPacket(data []byte) (body, rest []byte, err error) {
	if len(data) < 2 || data[0]&0x80 == 0 {
		return nil, nil, errPacket
	}
	var n uint64
	if data[0]&0x40 != 0 { // OpenPGP format
		if data[0]&0x3f != 2 {
			return nil, nil, fmt.Errorf("packet type %d where a signature was expected", data[0]&0x3f)
		}
		var ok bool
		if n, rest, ok = newLength(data[1:]); !ok {
			return nil, nil, errPacket
		}
	} else { // legacy format
		if data[0]>>2&0x0f != 2 {
			return nil, nil, fmt.Errorf("packet type %d where a signature was expected", data[0]>>2&0x0f)
		}
		size := 1 << (data[0] & 3)
		if size > 4 || len(data) < 1+size {
			return nil, nil, errPacket
		}
		for _, b := range data[1 : 1+size] {
			n = n<<8 | uint64(b)
		}
		rest = data[1+size:]
	}
	if n > uint64(len(rest)) {
		return nil, nil, errPacket
	}
	return rest[:n], rest[n:], nil
}

// newLength reads a one-, two- or five-octet length; partial lengths are for streams.
func newLength(data []byte) (n uint64, rest []byte, ok bool) {
	switch {
	case len(data) == 0:
		return 0, nil, false
	case data[0] < 192:
		return uint64(data[0]), data[1:], true
	case data[0] < 224 && len(data) >= 2:
		return uint64(data[0]-192)<<8 + uint64(data[1]) + 192, data[2:], true
	case data[0] == 255 && len(data) >= 5:
		return uint64(binary.BigEndian.Uint32(data[1:])), data[5:], true
	}
	return 0, nil, false
}

func cutSized(data []byte, lengthSize int) (part, rest []byte, ok bool) {
	if len(data) < lengthSize {
		return nil, nil, false
	}
	var n uint64
	for _, b := range data[:lengthSize] {
		n = n<<8 | uint64(b)
	}
	data = data[lengthSize:]
	if n > uint64(len(data)) {
		return nil, nil, false
	}
	return data[:n], data[n:], true
}

// trailer is what is hashed behind the document (RFC 9580, section 5.2.4).
func trailer(version byte, head []byte) []byte {
	out := append(make([]byte, 0, len(head)+6), head...)
	out = append(out, version, 0xff)
	return binary.BigEndian.AppendUint32(out, uint32(len(head)))
}

// pgpHash accepts the hashes that resist collisions. GnuPG and git still call a SHA-1 signature good; a second
// document with the same SHA-1 can be had for money, so it is not accepted as a statement about this one.
func pgpHash(id byte) (crypto.Hash, error) {
	switch id {
	case 8:
		return crypto.SHA256, nil
	case 9:
		return crypto.SHA384, nil
	case 10:
		return crypto.SHA512, nil
	case 11:
		return crypto.SHA224, nil
	case 12:
		return crypto.SHA3_256, nil
	case 14:
		return crypto.SHA3_512, nil
	case 1:
		return 0, unsupportedError("weak hash MD5")
	case 2:
		return 0, unsupportedError("weak hash SHA-1")
	case 3:
		return 0, unsupportedError("weak hash RIPEMD-160")
	}
	return 0, unsupportedError(fmt.Sprintf("hash algorithm %d", id))
}

// subpackets reads one of the two areas (RFC 9580, section 5.2.3.7). Outside the signed part only the issuer may
// stand, and is held against the key later.
func (s *pgpSignature) subpackets(area []byte, signed bool) error {
	for len(area) > 0 {
		n, rest, ok := subpacketLength(area)
		if !ok || n == 0 || n > uint64(len(rest)) {
			return errPacket
		}
		kind, critical, value := rest[0]&0x7f, rest[0]&0x80 != 0, rest[1:n]
		area = rest[n:]
		var err error
		if signed {
			err = s.signedSubpacket(kind, critical, value)
		} else {
			err = s.looseSubpacket(kind, critical, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func subpacketLength(data []byte) (n uint64, rest []byte, ok bool) {
	switch {
	case len(data) >= 2 && data[0] >= 192 && data[0] < 255: // unlike packets, two octets up to 254
		return uint64(data[0]-192)<<8 + uint64(data[1]) + 192, data[2:], true
	default:
		return newLength(data)
	}
}

func (s *pgpSignature) signedSubpacket(kind byte, critical bool, value []byte) error {
	switch kind {
	case 2: // signature creation time
		if len(value) != 4 || !s.created.IsZero() {
			return errPacket
		}
		s.created = time.Unix(int64(binary.BigEndian.Uint32(value)), 0).UTC()
	case 3: // signature expiration time
		if len(value) != 4 || s.lifetime != 0 {
			return errPacket
		}
		s.lifetime = binary.BigEndian.Uint32(value)
	case 16, 33:
		l, err := issuerOf(kind, value, s.version)
		if err != nil {
			return err
		}
		if l.printed != "" && s.printed != "" && l.printed != s.printed || l.id != 0 && s.issuer != 0 && l.id != s.issuer {
			return errors.New("names two issuers")
		}
		if l.printed != "" {
			s.printed = l.printed
		}
		if l.id != 0 {
			s.issuer = l.id
		}
	case 26, 28: // policy URI, signer's user id: remarks by the signer
	default: // notations and everything later: remarks too, unless the signer says that they change the meaning
		if critical {
			return unsupportedError(fmt.Sprintf("critical OpenPGP subpacket %d", kind))
		}
	}
	return nil
}

func (s *pgpSignature) looseSubpacket(kind byte, critical bool, value []byte) error {
	if kind != 16 && kind != 33 || critical {
		return fmt.Errorf("subpacket %d outside the signed part", kind)
	}
	l, err := issuerOf(kind, value, s.version)
	if err != nil {
		return err
	}
	if len(s.loose) >= 2 {
		return errPacket
	}
	s.loose = append(s.loose, l)
	return nil
}

func issuerOf(kind byte, value []byte, version byte) (looseIssuer, error) {
	size := 20
	if version == 6 {
		size = 32
	}
	switch {
	case kind == 16 && len(value) == 8 && version == 4:
		return looseIssuer{id: binary.BigEndian.Uint64(value)}, nil
	case kind == 33 && len(value) == 1+size && value[0] == version:
		return looseIssuer{printed: strings.ToUpper(hex.EncodeToString(value[1:]))}, nil
	}
	return looseIssuer{}, errPacket
}

// checkMPIs demands that the numbers of a signature have the lengths they claim and that nothing follows them. Sizes
// that fit no key are left to the arithmetic.
func checkMPIs(algo byte, data []byte) error {
	count := 0
	switch algo {
	case 1, 3: // RSA
		count = 1
	case 17, 19, 22: // DSA, ECDSA, EdDSA (legacy)
		count = 2
	default: // fixed-size fields, as Ed25519 (27) has them: the library takes what it needs
		return checkFixed(algo, len(data))
	}
	for range count {
		if len(data) < 2 {
			return errPacket
		}
		n := int(binary.BigEndian.Uint16(data))
		size := (n + 7) / 8
		data = data[2:]
		// Forges write numbers in whole octets instead of counting bits; both readings fix every octet.
		if n == 0 || size > len(data) || n%8 != 0 && bits.Len8(data[0]) != n%8 {
			return errPacket
		}
		data = data[size:]
	}
	if len(data) > 0 {
		return errPacket
	}
	return nil
}

func checkFixed(algo byte, size int) error {
	want := 0
	switch algo {
	case 27:
		want = 64 // Ed25519
	case 28:
		want = 114 // Ed448
	default:
		return unsupportedError(fmt.Sprintf("OpenPGP public key algorithm %d", algo))
	}
	if size != want {
		return errPacket
	}
	return nil
}
