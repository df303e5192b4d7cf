package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// library is the evidence of some places, by what it says it is about. That is an unverified claim: it decides what is
// looked at, and whatever is looked at is verified.
type library struct {
	pieces     []piece
	about      map[string][]int // by digest of the artefact
	anything   []int            // that do not say
	algorithms map[string]bool
	kinds      map[string]string // predicate types by digest of file, bundle and payload
	broken     []verdict.Refused
	repos      []string // repositories that are asked for each artefact
	searched   []string
	unsearched []string
	names      []string // base names of files
	cached     bool     // the place is too large to be kept

	once    sync.Once
	digests map[string][]int // see signed
}

// piece is one bundle, in memory or in its file.
type piece struct {
	name, file string
	at, length int
	bundle     *evidence.Bundle
}

func newLibrary() *library {
	return &library{about: map[string][]int{}, algorithms: map[string]bool{}, kinds: map[string]string{}}
}

// read adds a place: a file, a folder, an image with what is attached to it, or a repository that is asked for each
// artefact.
func (c *checker) read(ctx context.Context, l *library, place string) error {
	st, err := os.Stat(place)
	switch {
	case err == nil && st.IsDir():
		files, err := evidenceFiles(place, nil)
		if err != nil {
			return err
		}
		return l.files(ctx, files)
	case err == nil:
		return l.files(ctx, []string{place})
	case !errors.Is(err, fs.ErrNotExist):
		return fault.Usagef(fault.Quote(place), "cannot be read: %w", bare(err))
	}
	if repository(place) {
		l.repos = append(l.repos, place)
		return nil
	}
	if _, err := oci.Parse(place); err != nil {
		return fault.Usagef(fault.Quote(place), "no such file or folder, and no image: %w", err)
	}
	_, list, err := c.attached(ctx, place)
	if err != nil {
		return err
	}
	for _, a := range list {
		l.take(a.Name(), "", a.Data)
	}
	return nil
}

// files reads files side by side, and keeps them in the order of their names.
func (l *library) files(ctx context.Context, files []string) error {
	type result struct {
		bundles []*evidence.Bundle
		sum     string
		err     error
	}
	l.cached = l.cached || len(files) > keptBundles
	for _, f := range files {
		l.names = append(l.names, filepath.Base(f))
	}
	for len(files) > 0 && ctx.Err() == nil {
		batch := files[:min(len(files), keptBundles)]
		files = files[len(batch):]
		results := make([]result, len(batch))
		sideBySide(len(batch), func(i int) {
			data, err := evidence.ReadFile(batch[i])
			if err != nil {
				results[i].err = err
				return
			}
			results[i].sum = digestOf(data)
			results[i].bundles, results[i].err = evidence.ParseAll(filepath.Base(batch[i]), data)
			for _, b := range results[i].bundles {
				b.Hint() // reads the statement here, where it is done side by side
			}
		})
		for i, r := range results {
			if r.err != nil && fault.ClassOf(r.err) == fault.Usage {
				return r.err
			}
			l.add(filepath.Base(batch[i]), batch[i], r.sum, r.bundles, r.err)
		}
	}
	return ctx.Err()
}

// take adds evidence that is at hand.
func (l *library) take(name, file string, data []byte) {
	bundles, err := evidence.ParseAll(name, data)
	l.add(name, file, digestOf(data), bundles, err)
}

func (l *library) add(name, file, sum string, bundles []*evidence.Bundle, err error) {
	if err != nil {
		l.broken = append(l.broken, verdict.Refused{Name: name, SHA256: sum, Reason: err.Error()})
		return
	}
	for _, b := range bundles {
		h := b.Hint()
		n := len(l.pieces)
		p := piece{name: b.Name(), file: file, bundle: b}
		p.at, p.length = b.Span()
		if l.cached && file != "" {
			p.bundle = nil
		}
		l.pieces = append(l.pieces, p)
		for _, d := range h.Digests {
			l.about[d] = append(l.about[d], n)
			algorithm, _, _ := strings.Cut(d, ":")
			l.algorithms[algorithm] = true
		}
		if h.Any {
			l.anything = append(l.anything, n)
		}
		l.kinds[b.SHA256()] = h.Predicate
		if h.Payload != "" {
			l.kinds[h.Payload] = h.Predicate
		}
		if len(bundles) == 1 {
			l.kinds[sum] = h.Predicate
		}
	}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// found is what was found of evidence about one artefact.
type found struct {
	about     []*evidence.Bundle
	broken    []verdict.Refused
	elsewhere int
	kinds     map[string]string
}

// gather looks an artefact up in libraries. The same bundle in two places is one.
func gather(ctx context.Context, s *evidence.Subject, libraries []*library) (*found, error) {
	out := &found{}
	seen := map[string]bool{}
	for _, l := range libraries {
		list := slices.Clone(l.anything)
		for algorithm := range l.algorithms {
			sum, err := s.Sum(algorithm)
			if err != nil {
				return nil, err
			}
			list = append(list, l.about[algorithm+":"+sum]...)
		}
		slices.Sort(list)
		list = slices.Compact(list)
		out.elsewhere += len(l.pieces) - len(list)
		out.broken = append(out.broken, l.broken...)
		for _, n := range list {
			b, err := l.pieces[n].load()
			if err != nil {
				out.broken = append(out.broken, verdict.Refused{Name: l.pieces[n].name, Reason: err.Error()})
				continue
			}
			if !seen[b.SHA256()] {
				seen[b.SHA256()] = true
				out.about = append(out.about, b)
			}
		}
		if len(out.about) > maxAboutOne {
			return nil, fault.Failf("evidence", "more than %d pieces about one artefact", maxAboutOne)
		}
		out.learn(l.kinds)
	}
	return out, ctx.Err()
}

// learn adds what kinds of evidence are at hand. One large library is not copied for each artefact.
func (f *found) learn(kinds map[string]string) {
	if len(f.kinds) == 0 {
		f.kinds = kinds
		return
	}
	if len(kinds) == 0 {
		return
	}
	both := make(map[string]string, len(f.kinds)+len(kinds))
	for _, m := range []map[string]string{f.kinds, kinds} {
		for k, v := range m {
			both[k] = v
		}
	}
	f.kinds = both
}

// load returns the bundle, from its file where it was not kept.
func (p *piece) load() (*evidence.Bundle, error) {
	if p.bundle != nil {
		return p.bundle, nil
	}
	f, err := os.Open(p.file)
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(p.file), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	data := make([]byte, p.length)
	if _, err := f.ReadAt(data, int64(p.at)); err != nil {
		return nil, fault.Failf(fault.Quote(p.file), "changed while it was read")
	}
	return evidence.Parse(p.name, data)
}

// evidenceSuffixes end the names of files that hold evidence about whatever they say.
var evidenceSuffixes = []string{".sigstore.json", ".sigstore", ".intoto.jsonl", ".attestations.json", ".attestations.jsonl"}

// evidenceName tells whether a file is evidence by its name: cosign's, slsa-github-generator's, and what
// `gh attestation download` and a registry's answer are saved as. NAME.bundle counts beside NAME alone.
func evidenceName(name string, present map[string]bool) bool {
	if slices.ContainsFunc(evidenceSuffixes, func(s string) bool { return strings.HasSuffix(name, s) && name != s }) ||
		name == "attestations.json" || name == "attestations.jsonl" {
		return true
	}
	if subject, ok := strings.CutSuffix(name, ".bundle"); ok && present[subject] {
		return true
	}
	rest, ok := strings.CutSuffix(name, ".jsonl")
	return ok && (strings.HasPrefix(rest, "sha256:") || strings.HasPrefix(rest, "sha256-")) && len(rest) == len("sha256:")+sha256.Size*2
}

// evidenceFiles lists the evidence in a folder. Of a folder that holds nothing but evidence the caller may pass nil.
func evidenceFiles(dir string, entries []fs.DirEntry) ([]string, error) {
	if entries == nil {
		var err error
		if entries, err = os.ReadDir(dir); err != nil {
			return nil, fault.Usagef(fault.Quote(dir), "cannot be read: %w", bare(err))
		}
	}
	present := map[string]bool{}
	for _, e := range entries {
		present[e.Name()] = true
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() || !evidenceName(e.Name(), present) {
			continue
		}
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() { // a link may lead to a file; a pipe is none
			out = append(out, path)
		}
	}
	if len(out) > maxEvidenceFiles {
		return nil, fault.Failf(fault.Quote(dir), "more than %d files of evidence", maxEvidenceFiles)
	}
	return out, nil
}

// sideBySide calls do for 0 to n-1 from as many goroutines as there are processors.
func sideBySide(n int, do func(int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
