package code

import "sort"

// splitGaps divides code of m that no table names where the other program, whose section is as large, has functions: one
// side was stripped. What they are called is only a guess by their place, and they are compared all the same.
func splitGaps(m, other *image) {
	sections := make(map[string]*section)
	for i := range other.sections {
		sections[other.sections[i].name] = &other.sections[i]
	}
	var more []function
	for i := range m.functions {
		f := &m.functions[i]
		s := m.in(f.entry)
		if !f.gap || f.stub || f.name != "" || s == nil {
			continue
		}
		o := sections[s.name]
		if o == nil || o.size != s.size {
			continue
		}
		from, end := f.entry-s.addr, f.end-s.addr
		at := sort.Search(len(other.functions), func(k int) bool { return other.functions[k].entry >= o.addr+from })
		for ; at < len(other.functions); at++ {
			g := &other.functions[at]
			start := g.entry - o.addr
			if g.entry < o.addr || start >= end {
				break
			}
			if g.gap || g.name == "" {
				continue
			}
			if start == from {
				f.name, f.gap = g.name, false
			} else if len(more) == 0 || more[len(more)-1].entry < s.addr+start {
				more = append(more, function{name: g.name, entry: s.addr + start, end: s.addr + min(end, g.end-o.addr), thumb: g.thumb})
			}
		}
	}
	if len(more) == 0 {
		return
	}
	m.functions = append(m.functions, more...)
	sort.SliceStable(m.functions, func(i, j int) bool { return m.functions[i].entry < m.functions[j].entry })
	for i := range m.functions[:len(m.functions)-1] {
		f := &m.functions[i]
		f.end = min(f.end, m.functions[i+1].entry)
	}
	kept := m.functions[:0]
	for _, f := range m.functions {
		if !f.gap || f.stub || f.name != "" || !m.onlyPadding(m.body(&f)) {
			kept = append(kept, f)
		}
	}
	m.functions = kept
}

// onlyPadding tells whether code is nothing but what compilers and linkers put between functions.
func (m *image) onlyPadding(b []byte) bool {
	if m.arch == archAMD64 || m.arch == arch386 {
		return nopsOnly(b)
	}
	return armPadding(b, m.arch) == len(b)
}
