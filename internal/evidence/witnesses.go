package evidence

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// witnesses gathers logs and times, each once, and holds them against what is demanded.
func (v *verification) witnesses() error {
	if err := v.inLogs(); err != nil {
		return err
	}
	if err := v.stamped(); err != nil {
		return err
	}
	for _, t := range v.out.times {
		if t.At.After(v.opt.Now.Add(ClockSkew)) {
			return v.fail("timestamp in future: %s, now is %s", stamp(t.At), stamp(v.opt.Now))
		}
	}
	return nil
}

func (v *verification) inLogs() error {
	var logs map[string]*trustedLog
	if v.opt.Roots != nil {
		logs = v.opt.Roots.logs
	}
	distinct := map[[32]byte]bool{}
	var used []*trustedLog
	for i := range v.entries {
		e := &v.entries[i]
		for j := range v.entries[:i] {
			if o := &v.entries[j]; string(o.logID) == string(e.logID) && o.index == e.index {
				return v.fail("malformed bundle: one log entry stands twice")
			}
		}
		log, at, err := e.verify(v.works[0], logs)
		if err != nil {
			return v.fail("%w", err)
		}
		if log == nil {
			v.note("an entry of a log that the trusted root does not name was not counted")
			continue
		}
		if !distinct[log.id] {
			distinct[log.id] = true
			used = append(used, log)
			v.out.logs = append(v.out.logs, log.BaseURL)
		}
		if !at.IsZero() {
			v.out.times = append(v.out.times, Time{at, "log", log.BaseURL})
		}
	}
	need := max(v.opt.Require.Logs, 1)
	if v.opt.Require.NoLog {
		need = 0
		if len(distinct) == 0 {
			v.out.exceptions = append(v.out.exceptions, "no log entry is demanded")
		}
	}
	if len(distinct) < need {
		return v.fail("%s, need %d", count(len(distinct), "distinct log"), need).WithHint("a key that signs without a log counts under a policy that says so, with its reason: no-log = \"…\"")
	}
	v.used = used
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (v *verification) note(text string) {
	if !slices.Contains(v.out.notes, text) {
		v.out.notes = append(v.out.notes, text)
	}
}

// stamped counts RFC 3161 timestamps by distinct authorities. Where a certificate needs a time, every timestamp must be
// a trusted one; beside a bare key, which needs none, others are not counted, and noted.
func (v *verification) stamped() error {
	distinct := map[[32]byte]bool{}
	untrusted := 0
	for _, raw := range v.stamps {
		t, id, ok := v.stampedBy(raw)
		switch {
		case !ok:
			untrusted++
		case !distinct[id]:
			distinct[id] = true
			v.out.times = append(v.out.times, t)
		}
	}
	need := v.opt.Require.Timestamps
	switch {
	case untrusted > 0 && (v.leaf != nil || len(distinct) < need):
		return v.fail("timestamp untrusted: %d of %s made by no trusted authority", untrusted, count(len(v.stamps), "timestamp"))
	case untrusted > 0:
		v.note(count(untrusted, "timestamp") + " by no trusted authority, not counted")
	case len(distinct) < need:
		return v.fail("%s, need %d", count(len(distinct), "distinct timestamp"), need)
	}
	return nil
}

func (v *verification) stampedBy(raw []byte) (Time, [32]byte, bool) {
	if v.opt.Roots == nil {
		return Time{}, [32]byte{}, false
	}
	for _, a := range v.opt.Roots.stampers {
		t, err := a.Verify(raw, v.works[0].sig)
		if err != nil {
			continue
		}
		var id [32]byte
		if s, ok := a.(*root.SigstoreTimestampingAuthority); ok && s.Leaf != nil {
			id = sha256.Sum256(s.Leaf.RawSubjectPublicKeyInfo)
		} else if ok {
			id = sha256.Sum256(s.Root.RawSubjectPublicKeyInfo)
		}
		return Time{t.Time.UTC(), "timestamp", t.URI}, id, true
	}
	return Time{}, [32]byte{}, false
}
