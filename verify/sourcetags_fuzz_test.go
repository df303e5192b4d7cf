package verify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzParseSeen: a line is refused, or it says which tag of which repository was at which commit and reads back as it is.
func FuzzParseSeen(f *testing.F) {
	f.Add([]byte(`{"format":1,"repository":"r","tag":"v1","object":"` + strings.Repeat("1", 40) + `","commit":"` + strings.Repeat("1", 40) + `","seen":"2026-01-01"}`))
	f.Add([]byte(`{"format":1}{}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := parseSeen(line)
		if err != nil {
			return
		}
		if e.Repository == "" || e.Tag == "" || e.Commit == "" {
			t.Fatalf("accepted %+v", e)
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := parseSeen(again); err != nil || b != e {
			t.Fatalf("%v %+v %+v", err, b, e)
		}
	})
}

// FuzzMemo: whatever is remembered reads back as it was written, and a cut memory is refused or shorter, never another.
func FuzzMemo(f *testing.F) {
	f.Add("id", int64(1), []byte("payload"), []byte("signature"), "path", uint8(1), uint8(0))
	f.Add("", int64(-1), []byte{}, []byte(nil), "", uint8(0), uint8(3))
	f.Fuzz(func(t *testing.T, id string, when int64, payload, sig []byte, p string, topic, cut uint8) {
		topics := uint64(len(kinds))
		in := revision{id: id, when: when, payload: payload, signature: sig, touches: []touch{{int(uint64(topic) % topics), p}}}
		m := newMemo()
		m.add(in)
		m.add(in)
		list, ok := decodeMemo(m.data, topics)
		if !ok || len(list) != 2 {
			t.Fatalf("%t %d", ok, len(list))
		}
		for _, out := range list {
			if out.id != id || out.when != when || !bytes.Equal(out.payload, payload) || !bytes.Equal(out.signature, sig) || len(out.touches) != 1 || out.touches[0] != in.touches[0] {
				t.Fatalf("%+v, want %+v", out, in)
			}
		}
		if n := int(cut) % len(m.data); n > 0 {
			if list, ok := decodeMemo(m.data[:len(m.data)-n], topics); ok && len(list) >= 2 {
				t.Fatal("a cut memory is whole")
			}
		}
	})
}
