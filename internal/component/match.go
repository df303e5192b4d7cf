package component

import (
	"fmt"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// match holds the functions of a program against those of a program of the release. It returns nil where there is nothing
// of it.
func match(p *code.Program, want *Program) *Finding {
	w := &matcher{p: p, want: want, f: &Finding{How: "functions", Component: path.Base(want.Path)}}
	if want.Go && want.Module != "" {
		w.f.Component = want.Module
	}
	if p.Processor != want.Processor {
		return w.said()
	}
	if want.Go && p.Go {
		w.named()
		if p.Main == want.Module && want.Module != "" {
			w.command()
		}
	}
	if w.f.Same+w.f.Changes == 0 {
		w.unnamed()
	}
	if w.f.Same+w.f.Changes == 0 {
		return w.said()
	}
	w.judge()
	return w.f
}

type matcher struct {
	p    *code.Program
	want *Program
	f    *Finding
	init bool // code that runs by itself was added
}

func (w *matcher) change(name string, added bool) {
	w.f.Changes++
	list := &w.f.Changed
	if added {
		list = &w.f.Added
	}
	if len(*list) < maxNamed {
		*list = append(*list, name)
	}
}

// named compares the functions of a Go module by their names, which stay in stripped programs.
func (w *matcher) named() {
	for i := range w.p.Functions() {
		name := w.p.Name(i)
		if !within(name, w.want.Module) || !w.p.Own(i) || w.p.Size(i) == 0 {
			continue
		}
		n, ok := w.want.byName[name]
		if !ok {
			w.init = w.init || strings.Contains(name, ".init")
			w.change(w.place(name, i), true)
			continue
		}
		if code, reaches := w.p.Same(i, &w.want.Functions[n]); code && reaches {
			w.f.Same++
		} else {
			w.change(w.place(name, i), false)
		}
	}
}

// command holds a program of the vendor's own module against the one of the release that it is most like: what the command itself
// does belongs to no component, and could be anything.
func (w *matcher) command() {
	var own []int
	for i := range w.p.Functions() {
		if command(w.p.Name(i)) && w.p.Own(i) && w.p.Size(i) > 0 {
			own = append(own, i)
		}
	}
	var best, added []int
	for n, list := range append(w.want.commands, nil) {
		byName := make(map[string]int, len(list))
		for k := range list {
			byName[list[k].Name] = k
		}
		var changed, more []int
		for _, i := range own {
			k, ok := byName[w.p.Name(i)]
			if !ok {
				more = append(more, i)
			} else if code, reaches := w.p.Same(i, &list[k]); !code || !reaches {
				changed = append(changed, i)
			}
		}
		if n == 0 || len(changed)+len(more) < len(best)+len(added) {
			best, added = changed, more
		}
	}
	w.f.Same += len(own) - len(best) - len(added)
	for _, i := range best {
		w.change(w.place(w.p.Name(i), i), false)
	}
	for _, i := range added { // a command runs whatever it has
		w.init = true
		w.change(w.place(w.p.Name(i), i), true)
	}
}

func (w *matcher) place(name string, i int) string {
	if file, line := w.p.Place(i); file != "" {
		return fmt.Sprintf("%s (%s:%d)", name, file, line)
	}
	return name
}

// unnamed compares functions by their code alone. What lies between functions that were found, in the same number as in
// the release, and is none of its functions, was changed.
func (w *matcher) unnamed() {
	found := make([]int, w.p.Functions())
	same, saying := 0, 0
	for i := range found {
		found[i] = -1
		if !w.p.Own(i) {
			continue
		}
		last := -1
		if i > 0 {
			last = found[i-1]
		}
		var changed int
		for _, n := range w.want.bySize[w.p.Size(i)] {
			want := &w.want.Functions[n]
			if !w.p.MayBe(i, want) {
				continue
			}
			code, reaches := w.p.Same(i, want)
			if !code {
				continue
			}
			if !reaches && !w.want.Go {
				changed = n + 1
				continue
			}
			if found[i] < 0 || n == last+1 { // of equal functions the one that follows the last one
				found[i] = n
			}
		}
		switch {
		case found[i] >= 0:
			same++
			if w.p.Size(i) >= minPrint {
				saying++
			}
		case changed > 0:
			found[i] = -1 - changed
		}
	}
	if saying < minMatches {
		return
	}
	w.f.Same = same
	prev := -1
	for i, n := range found {
		if n < -1 && w.p.Size(i) >= minPrint { // the same code, other data
			w.change(w.title(i, -2-n), false)
		}
		if n < 0 {
			continue
		}
		if prev >= 0 && i-prev > 1 && n-found[prev] == i-prev {
			for k := prev + 1; k < i; k++ {
				if found[k] == -1 && w.p.Own(k) {
					w.change(w.title(k, found[prev]+k-prev), false)
				}
			}
		}
		prev = i
	}
}

// title names a function by the release, whose names the product may lack.
func (w *matcher) title(i, n int) string {
	if name := w.want.Functions[n].Name; name != "" {
		return name
	}
	if name := w.p.Name(i); name != "" {
		return name
	}
	return fmt.Sprintf("function %d of %s", n, path.Base(w.want.Path))
}

// judge says what the counts mean.
func (w *matcher) judge() {
	f := w.f
	f.Version = w.p.Modules[w.want.Module]
	if w.p.Main == w.want.Module && w.want.Module != "" {
		f.Version = w.p.Version
	}
	all := f.Same + f.Changes
	another := f.Version != "" && w.want.Version != "" && f.Version != w.want.Version && f.Version != "(devel)" && w.want.Version != "(devel)" &&
		!strings.HasPrefix(f.Version, "=>") // what replaces a module could be anything
	changed := f.Changes > len(f.Added) || f.Changes > maxNamed || w.init
	switch {
	case f.Changes == 0:
		f.State, f.Text = Audited, fmt.Sprintf("%s linked in, each that of the release", functions(all))
	case !w.p.Exact():
		f.State, f.Text = Unknown, fmt.Sprintf("%d of %d functions may be others; code for %s at fixed addresses cannot be told apart with certainty", f.Changes, all, w.p.Processor)
	case w.want.Compiler != "" && w.p.Compiler != "" && w.p.Compiler != w.want.Compiler:
		f.State, f.Text = Unknown, fmt.Sprintf("%d of %d functions are others, built with %s, the release with %s", f.Changes, all, fault.Quote(w.p.Compiler), fault.Quote(w.want.Compiler))
	case another:
		f.State, f.Text = Other, fmt.Sprintf("version %s, the release is %s; %d of %d functions are others", fault.Quote(f.Version), fault.Quote(w.want.Version), f.Changes, all)
	case changed:
		f.State, f.Text = Altered, fmt.Sprintf("%d of %d functions are not those of the release", f.Changes, all)
	default:
		f.State, f.Text = Unknown, fmt.Sprintf("%s of the component that no program of the release holds", functions(f.Changes))
	}
}

func functions(n int) string {
	if n == 1 {
		return "1 function"
	}
	return fmt.Sprintf("%d functions", n)
}

// said is a program that only says that it holds the component.
func (w *matcher) said() *Finding {
	f := w.f
	version, in := w.p.Modules[w.want.Module]
	switch {
	case w.want.Module != "" && (in || w.p.Main == w.want.Module):
		f.How, f.Version, f.State = "build-info", version, Unknown
		f.Text = "its build information names the module, and none of its functions were found"
		if w.p.Processor != w.want.Processor {
			f.Text = fmt.Sprintf("its build information names the module; it is for %s, the release for %s", w.p.Processor, w.want.Processor)
		}
		if w.p.Main == w.want.Module {
			f.Version = w.p.Version
		}
	case w.want.BuildID != "" && w.p.BuildID == w.want.BuildID:
		f.How, f.State, f.Text = "build-id", Altered, "it has the build id of the release, and other code"
	default:
		return nil
	}
	return f
}
