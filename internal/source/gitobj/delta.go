package gitobj

import "errors"

var (
	errDelta    = errors.New("malformed delta")
	errBaseSize = errors.New("size mismatch")
)

// deltaSizes reads the two sizes at the start of a delta (gitformat-pack(5), "Deltified representation") and returns
// the instructions that follow them.
func deltaSizes(d []byte) (base, result int64, rest []byte, err error) {
	if base, d, err = deltaSize(d); err != nil {
		return 0, 0, nil, err
	}
	if result, d, err = deltaSize(d); err != nil {
		return 0, 0, nil, err
	}
	return base, result, d, nil
}

func deltaSize(d []byte) (int64, []byte, error) {
	var n int64
	for i, shift := 0, 0; i < len(d) && shift < 56; i, shift = i+1, shift+7 {
		n |= int64(d[i]&0x7f) << shift
		if d[i]&0x80 == 0 {
			return n, d[i+1:], nil
		}
	}
	return 0, nil, errDelta
}

// applyDelta runs instructions over base and fills out, which has exactly the size that the delta announced. Copies
// read the base only, so what a delta can cost is bounded by the size of its result.
func applyDelta(out, base, ins []byte) error {
	at := 0
	for len(ins) > 0 {
		op := ins[0]
		ins = ins[1:]
		if op&0x80 == 0 {
			n := int(op)
			// instruction 0 is reserved
			if n == 0 || n > len(ins) || n > len(out)-at {
				return errDelta
			}
			copy(out[at:], ins[:n])
			ins = ins[n:]
			at += n
			continue
		}
		var from, n int
		var ok bool
		if from, n, ins, ok = copyOperands(op, ins); !ok || from < 0 || from > len(base) || n > len(base)-from || n > len(out)-at {
			return errDelta
		}
		copy(out[at:], base[from:from+n])
		at += n
	}
	if at != len(out) {
		return errBaseSize
	}
	return nil
}

// copyOperands reads the offset and length bytes that the bits of op announce.
func copyOperands(op byte, ins []byte) (from, n int, rest []byte, ok bool) {
	for i := 0; i < 4; i++ {
		if op&(1<<i) != 0 {
			if len(ins) == 0 {
				return 0, 0, nil, false
			}
			from |= int(ins[0]) << (8 * i)
			ins = ins[1:]
		}
	}
	for i := 0; i < 3; i++ {
		if op&(0x10<<i) != 0 {
			if len(ins) == 0 {
				return 0, 0, nil, false
			}
			n |= int(ins[0]) << (8 * i)
			ins = ins[1:]
		}
	}
	if n == 0 {
		n = 0x10000
	}
	return from, n, ins, true
}
