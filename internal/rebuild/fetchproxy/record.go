package fetchproxy

import (
	"slices"
	"strings"
)

// Record is what became of one path that the step asked for.
type Record struct {
	Ecosystem string `json:"ecosystem"`
	Path      string `json:"path"`
	SHA256    string `json:"sha256,omitempty"`
	Size      int64  `json:"size,omitempty"`
	Status    int    `json:"status"`           // the HTTP status that the step got
	Reason    string `json:"reason,omitempty"` // of a refusal or failure
	Requests  int    `json:"requests"`         // how often it was asked for
}

// Refusal is a request that is outside the grammar, or outside the closure that is replayed. Foreign text is as it
// came, cut to a bounded length.
type Refusal struct {
	Ecosystem string `json:"ecosystem"`
	Request   string `json:"request"` // method and request target
	Reason    string `json:"reason"`
}

// ledger is what a proxy has seen.
type ledger struct {
	ecosystem    string
	records      map[string]*Record
	refusals     []Refusal
	refusalCount int
	total        int64 // bytes fetched
}

func (l *ledger) refuse(request, reason string) {
	if l.refusalCount++; len(l.refusals) < maxRefusedKept {
		l.refusals = append(l.refusals, Refusal{Ecosystem: l.ecosystem, Request: request[:min(len(request), maxPath)], Reason: reason})
	}
}

// note adds one request for a path. A success replaces an earlier failure, never the other way round.
func (l *ledger) note(r Record) {
	old := l.records[r.Path]
	if old == nil {
		old = &Record{}
		l.records[r.Path] = old
	}
	r.Requests = old.Requests + 1
	if old.SHA256 != "" {
		old.Requests++
		return
	}
	*old = r
}

func (l *ledger) list() []Record {
	out := make([]Record, 0, len(l.records))
	for _, r := range l.records {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.Path, b.Path) })
	return out
}
