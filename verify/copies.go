package verify

import (
	"context"
	"encoding/json"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// copies holds every output against everything that the build was given (F6).
func (r *run) copies(ctx context.Context) error {
	r.req.Progress("looking for copies among the inputs")
	dir, err := r.dir.Dir("copies")
	if err != nil {
		return err
	}
	opt := compare.CopyOptions{Dir: dir}
	indexes, err := r.indexes(ctx, opt)
	if err != nil {
		return withCheck(err, verdict.CheckCopied)
	}
	var outputs []compare.Output
	for _, out := range r.outcome.Runs[0].Outputs {
		f, err := openOutput(r.outcome.Runs[0], out.Path)
		if err != nil {
			return err
		}
		defer f.Close()
		outputs = append(outputs, compare.Output{Name: out.Path, Content: f})
	}
	list, err := compare.Copied(ctx, outputs, indexes, opt)
	if err != nil {
		return withCheck(err, verdict.CheckCopied)
	}
	for _, c := range list {
		if !counts(c) {
			continue
		}
		p := c.Places[0]
		r.facts.Rebuild.Copies = append(r.facts.Rebuild.Copies, verdict.Copy{Output: c.Output, Member: c.Member, SHA256: c.SHA256, Input: join(p.Input, p.Member), Origin: string(p.Origin), How: string(c.How)})
	}
	r.facts.Rebuild.CopyCheck = true
	return nil
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
func (r *run) indexes(ctx context.Context, opt compare.CopyOptions) ([]*compare.Index, error) {
	x, err := compare.IndexInputs(ctx, folder(r.outcome.TreeDir, "", compare.FromSource), opt)
	if err != nil {
		return nil, err
	}
	list := []*compare.Index{x}
	if c := r.outcome.Inputs.Closure; c != nil {
		if x, err = compare.IndexInputs(ctx, r.fetched(c), opt); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	for _, l := range r.outcome.Builder.Layers {
		if l.Digest == "" {
			continue
		}
		if x, err = r.layerIndex(ctx, l, opt); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

// layerIndex indexes a layer once: thousands of files that never change under their digest.
func (r *run) layerIndex(ctx context.Context, l builder.Layer, opt compare.CopyOptions) (*compare.Index, error) {
	tool, err := rebuild.ToolDigest()
	if err != nil {
		return nil, err
	}
	const kind = "layer-index"
	key := tool + "\n" + l.Name + " " + l.Version + "\n" + l.Digest
	if data, ok := r.store.Result(kind, key); ok {
		x := &compare.Index{}
		if json.Unmarshal(data, x) == nil && len(x.Places) > 0 {
			return x, nil
		}
	}
	x, err := compare.IndexInputs(ctx, folder(l.Dir, l.Name, compare.FromBuilder), opt)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	return x, r.store.PutResult(kind, key, data)
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

func (r *run) fetched(c *fetchproxy.Closure) iter.Seq2[compare.Input, error] {
	return func(yield func(compare.Input, error) bool) {
		for _, e := range c.Entries {
			blob, err := r.store.OpenBlob(e.SHA256)
			if err != nil {
				yield(compare.Input{}, err)
				return
			}
			ok := yield(compare.Input{Name: e.Path, Origin: compare.FromFetch, Content: outputFile{blob, e.Size}}, nil)
			blob.Close()
			if !ok {
				return
			}
		}
	}
}

func openSized(path string) (outputFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return outputFile{}, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return outputFile{}, err
	}
	return outputFile{f, st.Size()}, nil
}
