package signature

import (
	"encoding/asn1"
	"errors"
)

var errBER = errors.New("malformed CMS encoding")

// toDER rewrites a BER value in the one definite-length form that the parser reads: gpgsm writes CMS with indefinite
// lengths (X.690, section 8.1.3.6) and strings in pieces. What was written as DER comes back unchanged, so signed
// parts keep their bytes; a length in more octets than it needs, which neither form calls for, is refused.
func toDER(data []byte) ([]byte, error) {
	out, rest, err := derValue(data, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errTrailing
	}
	return out, nil
}

func derValue(data []byte, depth int) (out, rest []byte, err error) {
	if depth > MaxNesting || len(data) < 2 || data[0]&0x1f == 0x1f {
		return nil, nil, errBER // tag numbers above 30 do not occur in CMS
	}
	tag := data[0]
	constructed := tag&0x20 != 0
	if data[1] == 0x80 {
		if !constructed {
			return nil, nil, errBER
		}
		return derIndefinite(tag, data[2:], depth)
	}
	body, rest, err := definite(data[1:])
	if err != nil {
		return nil, nil, err
	}
	if !constructed {
		return appendValue(nil, tag, body), rest, nil
	}
	var content []byte
	for inner := body; len(inner) > 0; {
		var one []byte
		if one, inner, err = derValue(inner, depth+1); err != nil {
			return nil, nil, err
		}
		content = append(content, one...)
	}
	out, err = joinString(tag, content)
	return out, rest, err
}

// derIndefinite reads values up to the end-of-contents octets.
func derIndefinite(tag byte, data []byte, depth int) (out, rest []byte, err error) {
	var content []byte
	for {
		if len(data) < 2 {
			return nil, nil, errBER
		}
		if data[0] == 0 {
			if data[1] != 0 {
				return nil, nil, errBER
			}
			out, err = joinString(tag, content)
			return out, data[2:], err
		}
		var one []byte
		if one, data, err = derValue(data, depth+1); err != nil {
			return nil, nil, err
		}
		content = append(content, one...)
	}
}

// joinString makes an OCTET STRING in pieces one; every other constructed value stays what it is.
func joinString(tag byte, content []byte) ([]byte, error) {
	if tag != 0x20|asn1.TagOctetString {
		return appendValue(nil, tag, content), nil
	}
	var joined []byte
	for len(content) > 0 {
		if content[0] != asn1.TagOctetString {
			return nil, errBER
		}
		body, rest, err := definite(content[1:])
		if err != nil {
			return nil, err
		}
		joined, content = append(joined, body...), rest
	}
	return appendValue(nil, asn1.TagOctetString, joined), nil
}

// definite reads a length in its shortest form and what it covers.
func definite(data []byte) (body, rest []byte, err error) {
	if len(data) == 0 {
		return nil, nil, errBER
	}
	n, rest := int(data[0]), data[1:]
	if n&0x80 != 0 {
		octets := n & 0x7f
		if octets < 1 || octets > 4 || octets > len(rest) || rest[0] == 0 {
			return nil, nil, errBER
		}
		n = 0
		for _, b := range rest[:octets] {
			n = n<<8 | int(b)
		}
		if n < 0x80 {
			return nil, nil, errBER
		}
		rest = rest[octets:]
	}
	if n < 0 || n > len(rest) {
		return nil, nil, errBER
	}
	return rest[:n], rest[n:], nil
}

func appendValue(out []byte, tag byte, body []byte) []byte {
	out = append(out, tag)
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n)) // MaxArmour keeps it below 2^24
	}
	return append(out, body...)
}
