package findings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/origin"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

const (
	maxOrigins     = 2_000   // files of all outputs that a verdict says something of
	maxOriginFiles = 200_000 // files that it lists for all of them together
)

// maxUnplaced is how many names of its own, names that lead nowhere, and names of files that were not read are kept of one file.
const maxUnplaced = 1_000

// Origins asks every output, and what is in it, which source files it was compiled from, and finds where each of them lies.
// It never makes a verification fail: what a file does not say is said to be so. Of outputs that
// come from the cache it is taken from there too.
func Origins(ctx context.Context, o *rebuild.Outcome, st *store.Store, dir *store.Run) ([]verdict.Origin, error) {
	if len(o.Runs) == 0 || o.Tree == nil {
		return nil, nil
	}
	const kind = "origins"
	key := originsKey(o)
	if o.Cached && key != "" { // what was built anew is asked anew: only that is ever signed
		var list []verdict.Origin
		if data, ok := st.Result(kind, key); ok && json.Unmarshal(data, &list) == nil {
			return list, nil
		}
	}
	list, err := findOrigins(ctx, o, st, dir)
	if err != nil || key == "" {
		return list, err
	}
	if data, err := json.Marshal(list); err == nil {
		_ = st.PutResult(kind, key, data) // what cannot be kept is found again
	}
	return list, nil
}

// originsKey binds what was found to everything that it was found from; "" where some of that is not pinned.
func originsKey(o *rebuild.Outcome) string {
	tool, err := rebuild.ToolDigest()
	if err != nil || o.Builder == nil || o.Builder.Digest == "" || o.Tree.SHA256 == "" {
		return ""
	}
	inputs, opened := "", []any{}
	if o.Inputs != nil {
		inputs = o.Inputs.SHA256
	}
	if len(o.Record.Runs) > 0 {
		opened = append(opened, o.Record.Runs[0].Variation.Home)
		for _, s := range o.Record.Runs[0].Steps {
			opened = append(opened, s.Dir, s.Opened)
		}
	}
	data, err := json.Marshal([]any{tool, o.Tree.SHA256, o.Builder.Digest, inputs, o.Runs[0].Outputs, o.Runs[0].Left, o.Account, opened})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func findOrigins(ctx context.Context, o *rebuild.Outcome, st *store.Store, dir *store.Run) ([]verdict.Origin, error) {
	scratch, err := dir.Dir("origins")
	if err != nil {
		return nil, err
	}
	w := newWorld(ctx, o, st, scratch)
	f := &originFinder{world: w, outcome: o, at: map[string]int{}}
	for _, out := range o.Runs[0].Outputs {
		if err := f.output(ctx, out.Path, out.SHA256, scratch); err != nil {
			return nil, err
		}
	}
	return f.list, nil
}

type originFinder struct {
	world   *world
	outcome *rebuild.Outcome
	list    []verdict.Origin
	at      map[string]int // by digest, of what is no archive
	files   int            // that are listed
}

func (f *originFinder) output(ctx context.Context, name, sum, scratch string) error {
	file, err := f.outcome.Runs[0].Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	a, err := artifact.Inspect(ctx, file, file.Size(), artifact.Options{Dir: scratch, Name: name, SHA256: sum})
	if err != nil {
		return err
	}
	defer a.Close()
	claims, err := origin.Read(ctx, a, func(sum string) (string, bool) {
		name, ok := f.world.inTree[sum]
		return name, ok
	})
	if err != nil {
		return err
	}
	for _, c := range claims {
		full := join(name, c.Member)
		if i, ok := f.at[c.SHA256]; ok && !c.Whole {
			if len(f.list[i].Names) == maxUnplaced {
				continue
			}
			if c.Member == "" { // the output itself comes before copies in others
				f.list[i].Names = append([]string{full}, f.list[i].Names...)
			} else {
				f.list[i].Names = append(f.list[i].Names, full)
			}
			continue
		}
		if len(f.list) == maxOrigins {
			f.list[maxOrigins-1].Why = "there are more such files: of those nothing is listed"
			break
		}
		if !c.Whole {
			f.at[c.SHA256] = len(f.list)
		}
		f.list = append(f.list, f.bounded(f.world.origin(full, c)))
	}
	return nil
}

// bounded leaves lists out where all of them together would be longer than a verdict should hold.
func (f *originFinder) bounded(v verdict.Origin) verdict.Origin {
	n := len(v.Source) + len(v.Package) + len(v.Made) + len(v.Unread) + len(v.Unknown)
	if f.files += n; f.files <= maxOriginFiles {
		return v
	}
	f.files -= n
	return verdict.Origin{Names: v.Names, SHA256: v.SHA256, By: []string{}, Silent: v.Silent, Source: []verdict.Digest{}, Why: "it names too many files to list them beside those of the others"}
}

// origin places the names of one claim.
func (w *world) origin(name string, c origin.Claim) verdict.Origin {
	v := verdict.Origin{Names: []string{name}, SHA256: c.SHA256, By: []string{}, Silent: c.Silent, Why: c.Why, Source: []verdict.Digest{}}
	p := &placed{w: w, source: map[string]bool{}, made: map[string]bool{}, parts: map[verdict.OriginPart]map[string]bool{}, by: map[string]bool{}, nowhere: map[string]bool{}}
	names := c.Names
	if !c.Whole && len(w.left.Depfiles) > 0 {
		names = append(slices.Clone(names), w.compiled(c)...)
	}
	for _, n := range names {
		p.add(n)
	}
	w.goPackages(p, &v, c)
	v.By = slices.Sorted(maps.Keys(p.by))
	if v.By == nil {
		v.By = []string{}
	}
	for _, f := range slices.Sorted(maps.Keys(p.source)) {
		e := w.entries[f]
		v.Source = append(v.Source, verdict.Digest{Name: f, SHA256: e.SHA256, Size: e.Size})
		if p.source[f] && w.Read != nil && !w.Read[f] && len(v.Unread) < maxUnplaced {
			v.Unread = append(v.Unread, f)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(p.made)) {
		v.Made = append(v.Made, verdict.MadeFile{Name: f, SHA256: w.Made[f]})
	}
	for part, files := range p.parts {
		part.Files = len(files)
		v.Parts = append(v.Parts, part)
	}
	slices.SortFunc(v.Parts, func(a, b verdict.OriginPart) int {
		return strings.Compare(a.Kind+"\x00"+a.Name, b.Kind+"\x00"+b.Name)
	})
	v.Gone = p.gone
	if w.left.Why != "" && len(p.nowhere) > 0 && v.Why == "" {
		v.Why = "what the steps made is not known, so that some of it may seem to lie nowhere: " + w.left.Why
	}
	for _, n := range slices.Sorted(maps.Keys(p.nowhere)) {
		if len(v.Unknown) == maxUnplaced {
			v.More++
			continue
		}
		v.Unknown = append(v.Unknown, n)
	}
	return v
}

// compiled returns what the rules for make add to what a program says: of the units that its file symbols name, or of all
// objects where it says nothing. One with debug data or a line table says more itself.
func (w *world) compiled(c origin.Claim) []origin.Name {
	units := map[string]bool{}
	for _, n := range c.Names {
		if n.By != origin.BySymbols {
			return nil
		}
		units[path.Base(n.Text)] = true
	}
	if len(units) == 0 {
		units = nil
	}
	return w.Compiled(w.left.Depfiles, units)
}

// placed collects where the names of one file lead.
type placed struct {
	w       *world
	source  map[string]bool // whether something names it, and not only has the same bytes
	made    map[string]bool
	parts   map[verdict.OriginPart]map[string]bool
	by      map[string]bool
	nowhere map[string]bool
	gone    int
}

func (p *placed) add(n origin.Name) {
	p.by[n.By] = true
	for _, at := range p.w.Place(n) {
		switch at.Kind {
		case origin.Source:
			p.source[at.Path] = p.source[at.Path] || n.By != origin.ByBytes
		case origin.Made:
			p.made[at.Path] = true
		case origin.Gone:
			p.gone++
		case origin.Module, origin.Package, origin.Builder:
			p.part(string(at.Kind), at.Part, at.Path)
		default:
			if layer, ok := p.w.prebuilt(n.Text); ok {
				p.part(string(origin.Builder), layer, n.Text)
				continue
			}
			p.nowhere[n.Text] = true
		}
	}
}

func (p *placed) part(kind, name, file string) {
	key := verdict.OriginPart{Kind: kind, Name: name}
	if p.parts[key] == nil {
		p.parts[key] = map[string]bool{}
	}
	p.parts[key][file] = true
}
