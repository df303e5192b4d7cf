package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// logged is a vote by a key, as it stands in a log.
func (a *assembly) logged(seed string, payload []byte) *evidencetest.Bundle {
	return a.i.AttestKey(payload, evidencetest.Key(seed))
}

// filler are entries of others: enough of them that the log has more than one bundle of entries.
func (a *assembly) filler(n int) []*evidencetest.Entry {
	var out []*evidencetest.Entry
	for i := range n {
		out = append(out, &evidencetest.Entry{Body: []byte(strings.Repeat("x", i%7+1))})
	}
	return out
}

func inLogs(l *evidencetest.Log, version string) string {
	return quorumPolicy("votes = [\"rekor-" + version + "+" + l.URL + "#rekor" + version[1:] + ".example\"]\n")
}

// TestVotesInTiles: what auditors put into a Rekor v2 log, read whole, and at hand or not.
func TestVotesInTiles(t *testing.T) {
	t.Parallel()
	a := assemble(t)
	l := a.i.Log()
	entry := func(seed string, payload []byte) *evidencetest.Entry {
		return a.logged(seed, payload).Log2().Entries[1]
	}
	ours := []*evidencetest.Entry{entry("lab-a", a.vote("a", "lab-a")), entry("lab-b", a.vote("b", "lab-b"))}
	l.Entries = append(append(a.filler(300), ours...), a.filler(11)...)
	p := inLogs(l, "v2")
	want := func(name string, code int, text string) {
		t.Helper()
		if got, out := a.check(p); got != code || !strings.Contains(out, text) {
			t.Fatalf("%s: exit %d, want %d with %q\n%s", name, got, code, text, out)
		}
	}
	want("everything is at hand", 0, "none in rekor-v2+http")
	// lab-c put something into the log that nobody shows
	otherwise := a.statement(toolResource(), otherwise)
	l.Change(func(l *evidencetest.Log) { l.Entries = append(l.Entries, entry("lab-c", otherwise)) })
	want("a statement that nobody shows", 3, "dissent not searched: ")
	want("a statement that nobody shows", 3, "holds 1 by lab-c that cannot be judged here, the first at index 313")
	// the same bytes at hand with a signature that does not hold hide nothing
	forged := a.logged("lab-c", otherwise)
	forged.Signatures[0][9] ^= 1
	a.put("c.sigstore.json", forged.JSON())
	want("a broken signature", 3, "by lab-c that cannot be judged here")
	a.put("c.sigstore.json", a.sign("lab-c", otherwise))
	want("the dissent itself", 1, "dissent: lab-c")
	// about something else, or no vote at all: what is at hand says so itself
	elsewhere := toolResource()
	elsewhere.Digest = map[string]string{"sha256": digit("e")}
	about := a.statement(elsewhere)
	a.put("c.sigstore.json", a.sign("lab-c", about))
	l.Change(func(l *evidencetest.Log) { l.Entries[len(l.Entries)-1] = entry("lab-c", about) })
	want("about another artefact", 0, "none in rekor-v2+http")
	other := provenanceOf("tool")
	a.put("c.sigstore.json", a.sign("lab-c", other))
	l.Change(func(l *evidencetest.Log) { l.Entries[len(l.Entries)-1] = entry("lab-c", other) })
	want("no vote", 0, "none in rekor-v2+http")
	a.hostileTiles(l, want)
}

// hostileTiles are logs that lie.
func (a *assembly) hostileTiles(l *evidencetest.Log, want func(string, int, string)) {
	alter := func(f func(path string, answer []byte) []byte) {
		l.Change(func(l *evidencetest.Log) { l.Alter = f })
	}
	alter(func(path string, answer []byte) []byte {
		if strings.Contains(path, "/tile/") {
			answer = bytes.Clone(answer)
			answer[len(answer)-1] ^= 1
		}
		return answer
	})
	want("an altered entry", 3, "its entries do not give the root that its checkpoint signs")
	alter(func(path string, answer []byte) []byte {
		if strings.Contains(path, ".p/") {
			return answer[:len(answer)-2]
		}
		return answer
	})
	want("a bundle that is torn", 3, "malformed bundle of entries")
	alter(func(path string, answer []byte) []byte {
		return bytes.Replace(answer, []byte("rekor2.example\n314\n"), []byte("rekor2.example\n313\n"), 1)
	})
	want("a checkpoint of another size", 3, "the checkpoint is not signed by the log")
	alter(func(path string, answer []byte) []byte {
		return bytes.Replace(answer, []byte("rekor2.example"), []byte("rekor9.example"), 2)
	})
	want("another log", 3, "the checkpoint is not signed by the log")
	alter(nil)
	late := a.logged("lab-a", a.statement(toolResource())).Log2()
	late.Entries = late.Entries[1:]
	late.Entries[0].Index, late.Entries[0].ProofIndex = 3, 3
	a.put("late.sigstore.json", late.JSON())
	l.Change(func(l *evidencetest.Log) { l.Entries = append(a.filler(1), l.Entries[300:302]...) })
	want("an old state of the log", 3, "gives an old state of the log")
}

// TestVotesByIndex: what the index of a Rekor v1 log says of the artefact.
func TestVotesByIndex(t *testing.T) {
	t.Parallel()
	a := assemble(t)
	l := a.i.Log()
	p := inLogs(l, "v1")
	sum := "sha256:" + toolResource().Digest["sha256"]
	want := func(name string, code int, text string) {
		t.Helper()
		if got, out := a.check(p); got != code || !strings.Contains(out, text) {
			t.Fatalf("%s: exit %d, want %d with %q\n%s", name, got, code, text, out)
		}
	}
	index := func(entries ...*evidencetest.Entry) {
		l.Change(func(l *evidencetest.Log) { l.Index[sum] = entries })
	}
	voteA, voteB := a.vote("a", "lab-a"), a.vote("b", "lab-b")
	ours := []*evidencetest.Entry{a.logged("lab-a", voteA).Entries[0], a.logged("lab-b", voteB).Entries[0], a.i.Message([]byte(toolContent), evidencetest.Leaf{}).Entries[0],
		a.logged("stranger", a.statement(toolResource(), otherwise)).Entries[0]}
	index(ours...)
	want("everything is at hand", 0, "none in rekor-v1+http")
	said := a.statement(toolResource(), otherwise)
	index(append(ours, a.logged("lab-c", said).Entries[0])...)
	want("a statement that nobody shows", 3, "holds 1 by lab-c that cannot be judged here, the first at index 1003")
	// the log kept the statement: it is heard although nobody shows it
	kept := a.logged("lab-c", said)
	kept.Entries = nil
	e := kept.LogIntoto().Entries[0]
	e.Integrated = time.Now().Unix()
	e.Promise = a.i.Promise(e)
	l.Change(func(l *evidencetest.Log) { l.Kept[e] = said })
	index(append(ours, e)...)
	want("the log itself tells", 1, "dissent: lab-c")
	l.Change(func(l *evidencetest.Log) { l.Kept[e] = voteA })
	want("a statement that is not the entry's", 3, "by lab-c that cannot be judged here")
	for name, tc := range map[string]struct {
		from, to, text string
	}{
		"a promise of nobody":  {`"integratedTime":`, `"integratedTime":1`, "inclusion not proven"},
		"a proof of elsewhere": {`"treeSize":7`, `"treeSize":6`, "inclusion not proven"},
		"no entry":             {`"body":"`, `"body":"AAAA`, "entry "},
		"twice the same key":   {`"logIndex":1003`, `"logIndex":1003,"logIndex":1004`, "entry "},
	} {
		index(a.logged("lab-c", said).Entries[0])
		l.Change(func(l *evidencetest.Log) {
			l.Alter = func(path string, answer []byte) []byte {
				if strings.Contains(path, "/entries/") {
					answer = bytes.Replace(answer, []byte(tc.from), []byte(tc.to), 1)
				}
				return answer
			}
		})
		want(name, 3, tc.text)
	}
	l.Change(func(l *evidencetest.Log) {
		l.Alter = func(string, []byte) []byte { return []byte(`["../../etc/passwd"]`) }
	})
	want("an id that is a path", 3, "what is no entry's id")
}

// TestLogsThatAreNone are places that name no log, and logs that are not there or that nobody trusts.
func TestLogsThatAreNone(t *testing.T) {
	t.Parallel()
	a := assemble(t)
	a.vote("a", "lab-a")
	a.vote("b", "lab-b")
	for place, tc := range map[string]struct {
		code int
		text string
	}{
		"rekor-v2+ftp://log.example":                 {4, "names no log"},
		"rekor-v2+log.example":                       {4, "names no log"},
		"rekor-v1+https://a:b@log.example":           {4, "names no log"},
		"rekor-v1+https://log.example?x=y":           {4, "names no log"},
		"rekor-v2+http://127.0.0.1:1":                {3, "the trusted root names no log"},
		"rekor-v2+http://127.0.0.1:1#rekor2.example": {3, "dissent not searched"},
		"rekor-v1+http://127.0.0.1:1#rekor1.example": {3, "dissent not searched"},
	} {
		if code, out := a.check(quorumPolicy("votes = [\"" + place + "\"]\n")); code != tc.code || !strings.Contains(out, tc.text) {
			t.Errorf("%s: exit %d, want %d with %q\n%s", place, code, tc.code, tc.text, out)
		}
	}
	if _, err := os.Stat(filepath.Join(a.dir, "tool")); err != nil {
		t.Error(err)
	}
}
