package signature

import (
	"crypto/sha256"
	"encoding/binary"
)

// MathCache remembers that these bytes, this signature and this key fit together. Whoever implements it must
// authenticate what it returns: an entry that another program wrote is worth nothing. Trust, time and revocation are
// never remembered; they are judged anew each time.
type MathCache interface {
	// Valid tells whether Record was called with this key before.
	Valid(key [32]byte) bool
	// Record remembers a valid combination. There are no entries for invalid ones.
	Record(key [32]byte)
}

// math answers from the cache, else runs check and remembers a success.
func (v *verification) math(kind string, message, sig, key []byte, check func() bool) bool {
	if v.opt.Cache == nil {
		return check()
	}
	id := mathKey(kind, message, sig, key)
	if v.opt.Cache.Valid(id) {
		return true
	}
	if !check() {
		return false
	}
	v.opt.Cache.Record(id)
	return true
}

// mathKey digests all that a mathematical check depends on; lengths keep the parts apart.
func mathKey(kind string, parts ...[]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("glassbuild signature 1 " + kind + "\x00"))
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}
