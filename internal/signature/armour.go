package signature

import (
	"bytes"
	"encoding/base64"
	"errors"
)

var (
	errArmour   = errors.New("malformed armour")
	errTrailing = errors.New("text after the armour's end")
	errBase64   = errors.New("malformed base64")
	errChecksum = errors.New("armour checksum differs")
)

// dearmour returns what stands between the lines "-----BEGIN label-----" and "-----END label-----". The base64 must be
// the one canonical text for its bytes apart from line breaks and blanks at line ends; after the end only white space
// may stand. OpenPGP armour (RFC 9580, section 6.2) may have headers, an empty line and a checksum.
func dearmour(text []byte, label string, openpgp bool) ([]byte, error) {
	line, rest := cutLine(text)
	if string(line) != "-----BEGIN "+label+"-----" {
		return nil, errArmour
	}
	if openpgp {
		var err error
		if rest, err = skipHeaders(rest); err != nil {
			return nil, err
		}
	}
	encoded := make([]byte, 0, len(rest))
	var checksum []byte
	for {
		if len(rest) == 0 {
			return nil, errArmour
		}
		line, rest = cutLine(rest)
		switch {
		case string(line) == "-----END "+label+"-----":
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, errTrailing
			}
			return decode(encoded, checksum)
		case len(line) == 0 || checksum != nil:
			return nil, errArmour
		case openpgp && line[0] == '=':
			checksum = line[1:]
		default:
			encoded = append(encoded, line...)
		}
	}
}

// skipHeaders skips "Key: value" lines up to the empty line that ends them. They are not signed and say nothing.
func skipHeaders(rest []byte) ([]byte, error) {
	for len(rest) > 0 {
		var line []byte
		if line, rest = cutLine(rest); len(line) == 0 {
			return rest, nil
		}
		if key, _, ok := bytes.Cut(line, []byte(":")); !ok || len(key) == 0 || bytes.ContainsAny(key, " \t-") {
			return nil, errArmour
		}
	}
	return nil, errArmour
}

// cutLine takes one line without the blanks at its end.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimRight(line, " \t\r"), rest
}

func decode(encoded, checksum []byte) ([]byte, error) {
	body := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	// The decoder skips line ends; a carriage return inside a line is none.
	if bytes.IndexByte(encoded, '\r') >= 0 {
		return nil, errBase64
	}
	n, err := base64.StdEncoding.Strict().Decode(body, encoded)
	if err != nil || n == 0 {
		return nil, errBase64
	}
	body = body[:n]
	if checksum != nil {
		sum, err := base64.StdEncoding.Strict().DecodeString(string(checksum))
		if err != nil || len(sum) != 3 || crc24(body) != uint32(sum[0])<<16|uint32(sum[1])<<8|uint32(sum[2]) {
			return nil, errChecksum
		}
	}
	return body, nil
}

// crc24Tables are the checksum of RFC 9580, section 6.1.1, of one byte with none, one and two bytes behind it.
var crc24Tables = func() (tables [3][256]uint32) {
	for i := range 256 {
		crc := uint32(i) << 16
		for n := range tables {
			for range 8 {
				crc <<= 1
				if crc&0x1000000 != 0 {
					crc ^= 0x1864cfb
				}
			}
			tables[n][i] = crc
		}
	}
	return tables
}()

func crc24(data []byte) uint32 {
	crc := uint32(0xb704ce)
	for len(data) >= 3 {
		crc ^= uint32(data[0])<<16 | uint32(data[1])<<8 | uint32(data[2])
		crc = crc24Tables[2][byte(crc>>16)] ^ crc24Tables[1][byte(crc>>8)] ^ crc24Tables[0][byte(crc)]
		data = data[3:]
	}
	for _, b := range data {
		crc = (crc<<8 ^ crc24Tables[0][byte(crc>>16)^b]) & 0xffffff
	}
	return crc
}
