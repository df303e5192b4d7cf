package pass

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// aTime is what every pass about times accepts: unset, one second after the epoch as some packers write it, or a second
// from 1980 to January 2038.
func aTime(v int64) bool { return v == 0 || v == 1 || v >= earliest && v <= latest }

// octalTime accepts eleven octal digits and a terminator, as every writer of tar makes them.
func octalTime(b []byte) bool {
	if last := b[len(b)-1]; last != 0 && last != ' ' {
		return false
	}
	v, err := strconv.ParseUint(string(b[:len(b)-1]), 8, 62)
	return err == nil && aTime(int64(v))
}

// decimalTime accepts decimal digits from the left, padded with blanks.
func decimalTime(b []byte) bool { return canonicalDecimal(b) && aTime(decimal(b)) }

func decimal(b []byte) int64 {
	v, _ := strconv.ParseInt(strings.TrimRight(string(b), " "), 10, 64)
	return v
}

// canonicalDecimal tells whether b is a number as a writer makes it: no sign, no leading zero, blanks behind.
func canonicalDecimal(b []byte) bool {
	s := strings.TrimRight(string(b), " ")
	v, err := strconv.ParseUint(s, 10, 62)
	return err == nil && strconv.FormatUint(v, 10) == s
}

// hexTime accepts eight hexadecimal digits.
func hexTime(b []byte) bool {
	v, err := strconv.ParseUint(string(b), 16, 33)
	return err == nil && aTime(int64(v))
}

// shortTime accepts 32 bits in little-endian order.
func shortTime(b []byte) bool { return aTime(int64(binary.LittleEndian.Uint32(b))) }

// dosTime accepts an MS-DOS time and date that exist, or none.
func dosTime(b []byte) bool {
	t, d := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
	if t == 0 && d == 0 {
		return true
	}
	year, month, day := int(d>>9)+1980, time.Month(d>>5&15), int(d&31)
	if t>>11 > 23 || t>>5&63 > 59 || t&31 > 29 {
		return false
	}
	at := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return at.Month() == month && at.Day() == day && at.Unix() <= latest
}
