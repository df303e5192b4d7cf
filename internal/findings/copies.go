package findings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Copies holds every output against everything that the build was given (F6). It takes scratch folders from dir.
func Copies(ctx context.Context, o *rebuild.Outcome, st *store.Store, dir *store.Run) ([]verdict.Copy, error) {
	scratch, err := dir.Dir("copies")
	if err != nil {
		return nil, err
	}
	s := &search{outcome: o, store: st, opt: compare.CopyOptions{Dir: scratch}}
	list, err := s.remembered(ctx)
	var f *fault.Error
	if errors.As(err, &f) && f.Check == "" {
		f.Check = verdict.CheckCopied
	}
	return list, err
}

// search is one look for copies.
type search struct {
	outcome *rebuild.Outcome
	store   *store.Store
	opt     compare.CopyOptions
}

// remembered takes what an earlier look found, where an earlier build gave the outputs: the key names everything that either was
// held against, and the store authenticates it.
func (s *search) remembered(ctx context.Context) ([]verdict.Copy, error) {
	const kind = "copies"
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	if s.outcome.Cached {
		var list []verdict.Copy
		if data, ok := s.store.Result(kind, key); ok && json.Unmarshal(data, &list) == nil {
			return list, nil
		}
	}
	list, err := s.copies(ctx)
	if err != nil {
		return nil, err
	}
	if data, err := json.Marshal(list); err == nil {
		_ = s.store.PutResult(kind, key, data) // or the next look costs time
	}
	return list, nil
}

// key is the program, the tree, what was fetched, every layer that is looked through, and the outputs.
func (s *search) key() (string, error) {
	tool, err := rebuild.ToolDigest()
	if err != nil {
		return "", err
	}
	names := []string{tool, s.outcome.Tree.SHA256}
	for _, c := range s.outcome.Inputs.Closures {
		names = append(names, "fetched "+c.Digest())
	}
	for _, l := range s.outcome.Builder.Layers {
		names = append(names, fmt.Sprintf("layer %q %q %t %s", l.Name, l.Version, l.Shadowed, l.Digest))
	}
	for _, out := range s.outcome.Runs[0].Outputs {
		names = append(names, fmt.Sprintf("output %q %s", out.Path, out.SHA256))
	}
	return strings.Join(names, "\n"), nil
}

func (s *search) copies(ctx context.Context) ([]verdict.Copy, error) {
	indexes, err := s.indexes(ctx)
	if err != nil {
		return nil, err
	}
	first := s.outcome.Runs[0]
	var outputs []compare.Output
	for _, out := range first.Outputs {
		f, err := first.Open(out.Path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		outputs = append(outputs, compare.Output{Name: out.Path, Content: f})
	}
	list, err := compare.Copied(ctx, outputs, indexes, s.opt)
	if err != nil {
		return nil, err
	}
	var found []verdict.Copy
	for _, c := range list {
		if !counts(c) {
			continue
		}
		p := c.Places[0]
		found = append(found, verdict.Copy{Output: c.Output, Member: c.Member, SHA256: c.SHA256, Input: join(p.Input, p.Member), Origin: string(p.Origin), How: string(c.How)})
	}
	return found, nil
}

// counts tells whether a copy is one that had to be built. A picture inside an archive that a build packs is meant to be
// the one of the tree; a program never is.
func counts(c compare.Copy) bool {
	return c.Member == "" || c.Class == artifact.MachineCode || c.Class == artifact.CompiledClass
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "/" + b
}

// indexes are of the source tree, of what was fetched, and of every pinned layer of the builder. A layer that is not
// pinned has no voucher either, so that nothing can pass with it.
func (s *search) indexes(ctx context.Context) ([]*compare.Index, error) {
	x, err := compare.IndexInputs(ctx, folder(s.outcome.TreeDir, "", compare.FromSource), s.opt)
	if err != nil {
		return nil, err
	}
	list := []*compare.Index{x}
	for _, c := range s.outcome.Inputs.Closures {
		if x, err = s.indexOnce(ctx, "fetched "+c.Digest(), s.fetched(c)); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	for _, l := range s.outcome.Builder.Layers {
		if l.Digest == "" || l.Shadowed {
			continue
		}
		if x, err = s.indexOnce(ctx, "layer "+l.Name+" "+l.Version+"\n"+l.Digest, folder(l.Dir, l.Name, compare.FromBuilder)); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

// indexOnce indexes inputs once: thousands of files that never change under the digest of all, which the key holds. What
// is indexed as nothing is indexed again.
func (s *search) indexOnce(ctx context.Context, what string, inputs iter.Seq2[compare.Input, error]) (*compare.Index, error) {
	tool, err := rebuild.ToolDigest()
	if err != nil {
		return nil, err
	}
	const kind = "copy-index"
	key := tool + "\n" + what
	if data, ok := s.store.Result(kind, key); ok {
		x := &compare.Index{}
		if x.UnmarshalBinary(data) == nil && len(x.Places) > 0 {
			return x, nil
		}
	}
	x, err := compare.IndexInputs(ctx, inputs, s.opt)
	if err != nil {
		return nil, err
	}
	data, err := x.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return x, s.store.PutResult(kind, key, data)
}

// folder yields every plain file below dir.
func folder(dir, name string, origin compare.Origin) iter.Seq2[compare.Input, error] {
	return func(yield func(compare.Input, error) bool) {
		stop := false
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			f, err := openSized(path)
			if err != nil {
				return err
			}
			defer f.Close()
			if !yield(compare.Input{Name: filepath.ToSlash(filepath.Join(name, rel)), Origin: origin, Content: f}, nil) {
				stop = true
				return fs.SkipAll
			}
			return nil
		})
		if err != nil && !stop {
			yield(compare.Input{}, fault.Inconclusivef("inputs", "%w", bare(err)))
		}
	}
}

func (s *search) fetched(c *fetchproxy.Closure) iter.Seq2[compare.Input, error] {
	return func(yield func(compare.Input, error) bool) {
		for _, e := range c.Entries {
			blob, err := s.store.OpenBlob(e.SHA256)
			if err != nil {
				yield(compare.Input{}, err)
				return
			}
			ok := yield(compare.Input{Name: e.Path, Origin: compare.FromFetch, Content: content{blob, e.Size}}, nil)
			blob.Close()
			if !ok {
				return
			}
		}
	}
}

// content is an open file of a known size.
type content struct {
	*os.File
	size int64
}

// Size returns the number of bytes.
func (c content) Size() int64 { return c.size }

func openSized(path string) (content, error) {
	f, err := os.Open(path)
	if err != nil {
		return content{}, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return content{}, err
	}
	return content{f, st.Size()}, nil
}

// bare leaves the path out of an error that already names it.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
