package signature

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// readToken reads an RFC 3161 token over a signature's value, to the last byte.
func readToken(token, over []byte, known []*x509.Certificate) (*Stamp, *cmsSignature, error) {
	if len(token) > MaxStamp {
		return nil, nil, errors.New("too large")
	}
	by, err := parseCMS(token, known, profile{content: oidTSTInfo, attached: true, timeless: true, stamp: true})
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(sumOf(by.hash, by.content), by.digest) {
		return nil, nil, errors.New("message digest differs")
	}
	at, err := by.readTSTInfo(by.content, over)
	if err != nil {
		return nil, nil, err
	}
	return &Stamp{At: at, Bytes: len(token)}, by, nil
}

var errToken = errors.New("malformed token")

// readTSTInfo reads TSTInfo (RFC 3161, section 2.4.2), of which nothing may be left over.
func (s *cmsSignature) readTSTInfo(content, over []byte) (time.Time, error) {
	in := cryptobyte.String(content)
	var info, imprint, digest, name cryptobyte.String
	var version int
	var policy asn1.ObjectIdentifier
	var at time.Time
	serial, nonce := new(big.Int), new(big.Int)
	if !in.ReadASN1(&info, der.SEQUENCE) || !in.Empty() || !info.ReadASN1Integer(&version) || version != 1 ||
		!info.ReadASN1ObjectIdentifier(&policy) || !info.ReadASN1(&imprint, der.SEQUENCE) {
		return at, errToken
	}
	hash, err := readDigestAlgorithm(&imprint)
	if err != nil {
		return at, err
	}
	if !imprint.ReadASN1(&digest, der.OCTET_STRING) || !imprint.Empty() || !info.ReadASN1Integer(serial) || serial.BitLen() > 160 {
		return at, errToken
	}
	if !bytes.Equal(sumOf(hash, over), digest) {
		return at, errors.New("it is over another signature")
	}
	var ok bool
	if at, ok = readGeneralizedTime(&info); !ok || !readAccuracy(&info) {
		return at, errToken
	}
	if info.PeekASN1Tag(der.BOOLEAN) {
		var ordering bool
		if !info.ReadASN1Boolean(&ordering) || !ordering { // DER leaves the default out
			return at, errToken
		}
	}
	if info.PeekASN1Tag(der.INTEGER) && (!info.ReadASN1Integer(nonce) || nonce.BitLen() > 256) {
		return at, errToken
	}
	if info.PeekASN1Tag(contextTag(0)) {
		var directory cryptobyte.String
		if !info.ReadASN1(&name, contextTag(0)) || !name.ReadASN1(&directory, contextTag(4)) || !name.Empty() || !bytes.Equal(directory, s.leaf.RawSubject) {
			return at, errors.New("it names another authority than the one that signed")
		}
	}
	if info.PeekASN1Tag(contextTag(1)) {
		return at, unsupportedError("a token with extensions")
	}
	if !info.Empty() {
		return at, errToken
	}
	return at, nil
}

// readGeneralizedTime reads a time of RFC 3161, which may have a fraction of a second: no more than nine digits, none of
// them a zero at the end.
func readGeneralizedTime(s *cryptobyte.String) (time.Time, bool) {
	var text cryptobyte.String
	if !s.ReadASN1(&text, der.GeneralizedTime) {
		return time.Time{}, false
	}
	layout := "20060102150405Z"
	if i := bytes.IndexByte(text, '.'); i >= 0 {
		if i != 14 || len(text) < 17 || len(text) > 25 || text[len(text)-2] == '0' {
			return time.Time{}, false
		}
		layout = "20060102150405." + "000000000"[:len(text)-16] + "Z"
	}
	at, err := time.Parse(layout, string(text))
	return at.UTC(), err == nil && at.Format(layout) == string(text)
}

func readAccuracy(s *cryptobyte.String) bool {
	if !s.PeekASN1Tag(der.SEQUENCE) {
		return true
	}
	var a cryptobyte.String
	if !s.ReadASN1(&a, der.SEQUENCE) {
		return false
	}
	var seconds uint32
	if a.PeekASN1Tag(der.INTEGER) && !a.ReadASN1Integer(&seconds) {
		return false
	}
	for tag := range uint8(2) {
		var n cryptobyte.String
		if t := der.Tag(tag).ContextSpecific(); a.PeekASN1Tag(t) && (!a.ReadASN1(&n, t) || len(n) < 1 || len(n) > 2) {
			return false
		}
	}
	return a.Empty()
}
