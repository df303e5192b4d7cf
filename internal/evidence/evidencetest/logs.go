package evidencetest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Log serves what a transparency log of the instance holds: as Rekor v2 lays out its tiles, and as Rekor v1 answers its index.
type Log struct {
	URL string

	mu      sync.Mutex
	i       *Instance
	Entries []*Entry            // of v2 the bodies count
	Index   map[string][]*Entry // of v1, by digest of the artefact
	Kept    map[*Entry][]byte   // statements that v1 keeps
	Alter   func(path string, answer []byte) []byte
}

// Log starts a log with nothing in it.
func (i *Instance) Log() *Log {
	i.tb.Helper()
	l := &Log{i: i, Index: map[string][]*Entry{}, Kept: map[*Entry][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /checkpoint", l.checkpoint)
	mux.HandleFunc("GET /tile/entries/{path...}", l.tile)
	mux.HandleFunc("POST /api/v1/index/retrieve", l.retrieve)
	mux.HandleFunc("GET /api/v1/log/entries/{id}", l.entry)
	server := httptest.NewServer(mux)
	i.tb.Cleanup(server.Close)
	l.URL = server.URL
	return l
}

// Change changes the log while it serves.
func (l *Log) Change(change func(*Log)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *Log) answer(w http.ResponseWriter, r *http.Request, data []byte) {
	if l.Alter != nil {
		data = l.Alter(r.URL.Path, data)
	}
	w.Write(data)
}

func (l *Log) checkpoint(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	root := sum(nil)
	if len(l.Entries) > 0 {
		root = treeHash(l.leaves())
	}
	text := fmt.Sprintf("rekor2.example\n%d\n%s\n", len(l.Entries), b64(root))
	sig := append(bytes.Clone(l.i.LogID(l.i.Rekor2.Public())[:4]), ed25519.Sign(l.i.Rekor2, []byte(text))...)
	l.answer(w, r, []byte(text+"\n— rekor2.example "+b64(sig)+"\n"))
}

func (l *Log) leaves() [][]byte {
	var out [][]byte
	for _, e := range l.Entries {
		out = append(out, leafHash(e.Body))
	}
	return out
}

// tile serves bundles of 256 entries, the last one as the part that is filled.
func (l *Log) tile(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, _, _ := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(r.PathValue("path"), "x", ""), "/", ""), ".p")
	var n int
	if _, err := fmt.Sscanf(name, "%d", &n); err != nil || n*256 >= len(l.Entries) {
		http.NotFound(w, r)
		return
	}
	var out []byte
	for _, e := range l.Entries[n*256 : min(len(l.Entries), n*256+256)] {
		out = binary.BigEndian.AppendUint16(out, uint16(len(e.Body)))
		out = append(out, e.Body...)
	}
	l.answer(w, r, out)
}

func (l *Log) retrieve(w http.ResponseWriter, r *http.Request) {
	var q struct{ Hash string }
	if !decode(w, r, &q) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := []string{}
	for _, e := range l.Index[q.Hash] {
		ids = append(ids, hex.EncodeToString(leafHash(e.Body)))
	}
	l.answer(w, r, marshal(l.i, ids))
}

func (l *Log) entry(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, list := range l.Index {
		n := slices.IndexFunc(list, func(e *Entry) bool { return hex.EncodeToString(leafHash(e.Body)) == r.PathValue("id") })
		if n < 0 {
			continue
		}
		e := list[n]
		hashes := []string{}
		for _, h := range e.Hashes {
			hashes = append(hashes, hex.EncodeToString(h))
		}
		found := object{"body": b64(e.Body), "integratedTime": e.Integrated, "logIndex": e.Index, "logID": hex.EncodeToString(e.LogID),
			"verification": object{"signedEntryTimestamp": b64(e.Promise), "inclusionProof": object{"logIndex": e.ProofIndex, "treeSize": e.TreeSize,
				"rootHash": hex.EncodeToString(e.RootHash), "hashes": hashes, "checkpoint": e.Checkpoint}}}
		if kept := l.Kept[e]; kept != nil {
			found["attestation"] = object{"data": b64(kept)}
		}
		l.answer(w, r, marshal(l.i, object{r.PathValue("id"): found}))
		return
	}
	http.NotFound(w, r)
}
