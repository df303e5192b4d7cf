package verify

import (
	"encoding/binary"
	"strings"
	"sync"
)

// What is remembered between two looks at the same range, in entries that only this user's store can have written: which
// bytes the commits of the range are made of and which paths they touched, which follows from their ids and nothing else;
// and which signatures are mathematically valid (signature.MathCache). Whether a key is trusted, when, and whether it is
// revoked is judged anew each time (F15).

const (
	memoKind  = "range-1"
	maxMemo   = 48 << 20 // bytes of one range; a longer one is read again each time
	mathKind  = "signatures-1"
	mathEntry = "valid"
	// what a signed commit takes at least, to guess how many there are
	signedCommitSize = 512
	maxMath          = 1 << 20 // signatures remembered; the list begins anew when it is full
)

// revision is one commit of a range as it is remembered.
type revision struct {
	id        string
	when      int64
	payload   []byte
	signature []byte
	touches   []touch
}

// memo is a range on its way into the store. Each commit is: id, time, payload, signature, number of touches, touches.
// Numbers are unsigned varints, and stand before the bytes that they count.
type memo struct{ data []byte }

func newMemo() *memo { return &memo{data: []byte{}} }

func (m *memo) add(r revision) {
	if m.data == nil {
		return
	}
	b := appendBytes(m.data, []byte(r.id))
	b = binary.AppendVarint(b, r.when)
	b = appendBytes(b, r.payload)
	b = appendBytes(b, r.signature)
	b = binary.AppendUvarint(b, uint64(len(r.touches)))
	for _, t := range r.touches {
		b = binary.AppendUvarint(b, uint64(t.topic))
		b = appendBytes(b, []byte(t.path))
	}
	if m.data = b; len(b) > maxMemo {
		m.data = nil
	}
}

func appendBytes(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// memoKey binds a memory to all that decides what is in it: both ends, and the rules whose paths were looked for.
func (r *run) memoKey(since string) string {
	parts := []string{r.facts.Source.Commit, since, r.req.ToolVersion}
	for _, rule := range r.policy.Source.Paths {
		parts = append(parts, rule.Match)
	}
	return strings.Join(parts, "\x00")
}

// memorise keeps a range. A failure costs the next look some time.
func (r *run) memorise(since string, m *memo) {
	if len(m.data) > 0 {
		_ = r.store.PutResult(memoKind, r.memoKey(since), m.data)
	}
}

// recall returns a range that was looked at before.
func (r *run) recall(since string) ([]revision, bool) {
	data, ok := r.store.Result(memoKind, r.memoKey(since))
	if !ok || len(data) == 0 {
		return nil, false
	}
	return decodeMemo(data, uint64(len(kinds)+len(r.policy.Source.Paths)))
}

func decodeMemo(data []byte, topics uint64) ([]revision, bool) {
	d := decoder{rest: data}
	list := make([]revision, 0, len(data)/signedCommitSize)
	for len(d.rest) > 0 {
		rev := revision{id: string(d.bytes()), when: d.varint(), payload: d.bytes(), signature: d.bytes()}
		for n := d.uvarint(); n > 0 && !d.failed; n-- {
			t := touch{}
			topic := d.uvarint()
			if topic >= topics {
				return nil, false
			}
			t.topic, t.path = int(topic), string(d.bytes())
			rev.touches = append(rev.touches, t)
		}
		if d.failed {
			return nil, false
		}
		list = append(list, rev)
	}
	return list, true
}

// decoder reads a memo; after a malformed value everything is zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) advance(n int) bool {
	if n <= 0 || n > len(d.rest) {
		d.rest, d.failed = nil, true
		return false
	}
	d.rest = d.rest[n:]
	return true
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if !d.advance(n) {
		return 0
	}
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if !d.advance(n) {
		return 0
	}
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if d.failed || n > uint64(len(d.rest)) {
		d.rest, d.failed = nil, true
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	if n == 0 {
		return nil
	}
	return b
}

// mathMemory is the signature.MathCache of a run.
type mathMemory struct {
	mu    sync.Mutex
	valid map[[32]byte]bool
	fresh bool // something was added
}

// Valid implements signature.MathCache.
func (m *mathMemory) Valid(key [32]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.valid[key]
}

// Record implements signature.MathCache.
func (m *mathMemory) Record(key [32]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.valid) >= maxMath {
		clear(m.valid)
	}
	m.valid[key], m.fresh = true, true
}

// cache returns the memory of valid signatures, read once in a run.
func (r *run) cache() *mathMemory {
	if r.math != nil {
		return r.math
	}
	r.math = &mathMemory{valid: map[[32]byte]bool{}}
	if r.store == nil {
		return r.math
	}
	if data, ok := r.store.Result(mathKind, mathEntry); ok && len(data)%32 == 0 {
		for ; len(data) > 0; data = data[32:] {
			r.math.valid[[32]byte(data)] = true
		}
	}
	return r.math
}

// saveMath keeps what was added. Of two runs at once the last one wins; the other's signatures are computed again.
func (r *run) saveMath() {
	if r.math == nil || !r.math.fresh {
		return
	}
	data := make([]byte, 0, 32*len(r.math.valid))
	for k := range r.math.valid {
		data = append(data, k[:]...)
	}
	if r.store.PutResult(mathKind, mathEntry, data) == nil {
		r.math.fresh = false
	}
}
