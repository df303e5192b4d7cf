package verify

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// voteLog is a transparency log that the policy names as a place of votes. A log holds digests of what was signed: it tells
// whether an auditor said something that is not at hand.
type voteLog struct {
	place    policy.LogPlace
	search   evidence.Search
	register *evidence.Register // of Rekor v2, read once
}

// voteLogs opens the logs that the policy names. One that cannot be read was not searched.
func (c *checker) voteLogs(ctx context.Context) {
	for _, place := range c.policy.Quorum.Logs() {
		l := &voteLog{place: place, search: evidence.Search{Origin: place.Origin, Roots: c.roots, Trust: c.policy.Trust, Fetch: c.fetch(place.URL)}}
		if place.Version == 2 {
			var err error
			if l.register, err = l.search.ReadTiles(ctx); err != nil {
				c.votes.unsearched = append(c.votes.unsearched, fmt.Sprintf("%s: %v", fault.Quote(place.Text), err))
				continue
			}
		}
		c.votes.searched = append(c.votes.searched, place.Text)
		c.logs = append(c.logs, l)
	}
}

// fetch reads below a log's address.
func (c *checker) fetch(base string) evidence.Fetch {
	return func(ctx context.Context, path string, question []byte, limit int) ([]byte, error) {
		client, err := c.dialer()
		if err != nil {
			return nil, err
		}
		where, err := url.JoinPath(base, path)
		if err != nil {
			return nil, fault.Usagef(fault.Quote(base), "malformed address")
		}
		call := remote.Call{URL: where, Body: question, Limit: int64(limit)}
		if question != nil {
			call.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
		}
		return client.Do(ctx, call)
	}
}

// dialer makes the client when something remote is first named, and never before.
func (c *checker) dialer() (*remote.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.remote != nil {
		return c.remote, nil
	}
	var err error
	c.remote, err = gomod.NewRemote(c.offline)
	return c.remote, err
}

// searched is what a place that the policy names holds.
type searched struct {
	Place string
	*evidence.Register
}

// askLogs returns what the logs hold: of Rekor v1 about the artefact, of v2 altogether.
func (c *checker) askLogs(ctx context.Context, sum string) (registers []searched, given *library, unsearched []string) {
	given = newLibrary()
	for _, l := range c.logs {
		r := l.register
		if l.place.Version == 1 {
			var err error
			if r, err = l.search.SearchIndex(ctx, "sha256:"+sum); err != nil {
				unsearched = append(unsearched, fmt.Sprintf("%s: %v", fault.Quote(l.place.Text), err))
				continue
			}
		}
		given.keep(r.Bundles)
		registers = append(registers, searched{l.place.Text, r})
	}
	return registers, given, unsearched
}

// known is what was verified of a subject.
type known struct {
	by      map[string][]string // who signed it, by the digests under which logs know it
	bundles []*evidence.Bundle
}

func (k *known) add(b *evidence.Bundle, v *evidence.Verified) {
	if k.by == nil {
		k.by = map[string][]string{}
	}
	k.bundles = append(k.bundles, b)
	for _, d := range b.Digests() {
		k.by[d] = append(k.by[d], v.Principals()...)
	}
}

// missing tells what principals of the quorum signed, by the logs, and what nobody can judge here: it could be dissent. What
// is at hand is no mystery even where it does not count: its digest binds what it says, and it speaks of something else or is
// of a type that is no vote.
func (c *checker) missing(registers []searched, held *known, t *table, s *subject, libraries []*library) ([]string, error) {
	auditors := c.policy.Trust.Members(c.policy.Quorum.Of)
	var out []string
	for _, r := range registers {
		if slices.ContainsFunc(held.bundles, r.Before) {
			out = append(out, fmt.Sprintf("%s gives an old state of the log: what is at hand was logged later", fault.Quote(r.Place)))
		}
		count := map[string]int{}
		first := map[string]int64{}
		for _, e := range r.Entries {
			if !slices.Contains(auditors, e.Principal) || slices.Contains(held.by[e.Digest], e.Principal) {
				continue
			}
			irrelevant, err := noVote(e.Digest, t, s.evidence(), libraries)
			if err != nil {
				return nil, err
			}
			if irrelevant {
				continue
			}
			if count[e.Principal]++; count[e.Principal] == 1 {
				first[e.Principal] = e.Index
			}
		}
		for _, who := range auditors {
			if count[who] > 0 {
				out = append(out, fmt.Sprintf("%s holds %d by %s that cannot be judged here, the first at index %d", fault.Quote(r.Place), count[who], fault.Quote(who), first[who]))
			}
		}
	}
	return out, nil
}

// noVote tells whether a signed text is at hand that speaks of another artefact, or is of a type that no vote has.
func noVote(digest string, t *table, s *evidence.Subject, libraries []*library) (bool, error) {
	for _, l := range libraries {
		for _, n := range l.signed()[digest] {
			b, err := l.pieces[n].load()
			if err != nil || !slices.Contains(b.Digests(), digest) {
				continue
			}
			h := b.Hint()
			if h.Predicate == "" || h.Any {
				continue // it does not read as a statement
			}
			if !t.wants(h.Predicate) {
				return true, nil
			}
			about := false
			for _, d := range h.Digests {
				algorithm, sum, _ := strings.Cut(d, ":")
				own, err := s.Sum(algorithm)
				if err != nil {
					return false, err
				}
				about = about || own == sum
			}
			if !about {
				return true, nil
			}
		}
	}
	return false, nil
}

// signed is where pieces lie, by the digests under which logs know them.
func (l *library) signed() map[string][]int {
	l.once.Do(func() {
		l.digests = map[string][]int{}
		for n := range l.pieces {
			if b, err := l.pieces[n].load(); err == nil {
				for _, d := range b.Digests() {
					l.digests[d] = append(l.digests[d], n)
				}
			}
		}
	})
	return l.digests
}

// keep adds bundles that are at hand already.
func (l *library) keep(bundles []*evidence.Bundle) {
	for _, b := range bundles {
		l.add(b.Name(), "", b.SHA256(), []*evidence.Bundle{b}, nil)
	}
}
