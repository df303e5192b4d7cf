package pass

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/glassbuild/glassbuild/internal/allow"
)

// pycShape finds the source time of Python bytecode (PEP 552): only where the flags say that the file is checked by time.
func pycShape(c Content, head []byte) shape {
	if len(head) < 16 || head[2] != '\r' || head[3] != '\n' {
		return nil
	}
	if n := binary.LittleEndian.Uint16(head); n < 3390 || n >= 3900 || binary.LittleEndian.Uint32(head[4:]) != 0 {
		return nil // before 3.7 there are no flags
	}
	return around("pyc", c.Size(), []piece{{what: "source time", at: 8, size: 4, rule: field, pass: allow.PycMtime, valid: shortTime(head[8:])}})
}

// pngShape finds the one tIME chunk of a PNG (PNG specification 11.3.6.1).
func pngShape(c Content) (shape, error) {
	var list []piece
	at := int64(8)
	for range maxChunks {
		if at == c.Size() {
			return around("png", c.Size(), list), nil
		}
		head, err := read(c, at, 8)
		if err != nil {
			return nil, nil
		}
		size := int64(binary.BigEndian.Uint32(head))
		if size > c.Size()-at-12 {
			return nil, nil
		}
		if string(head[4:]) == "tIME" {
			b, err := read(c, at+4, size+8)
			if err != nil || size != 7 || len(list) > 0 || crc32.ChecksumIEEE(b[:11]) != binary.BigEndian.Uint32(b[11:]) {
				return nil, nil
			}
			list = append(list, piece{what: "time", at: at + 8, size: 7, rule: field, pass: allow.PNGTime, valid: pngTime(b[4:11])},
				piece{what: "checksum of the time", at: at + 15, size: 4, rule: derived})
		}
		at += size + 12
	}
	return nil, nil
}

func pngTime(b []byte) bool {
	year, month, day := int(binary.BigEndian.Uint16(b)), time.Month(b[2]), int(b[3])
	if b[4] > 23 || b[5] > 59 || b[6] > 60 {
		return false
	}
	at := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return at.Month() == month && at.Day() == day && aTime(at.Unix())
}
