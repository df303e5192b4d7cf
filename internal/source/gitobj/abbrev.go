package gitobj

import (
	"slices"
	"strings"
)

// Abbreviated returns up to limit ids that begin with those hexadecimal digits, at least four.
func (s *Store) Abbreviated(prefix string, limit int) ([]ID, error) {
	if len(prefix) < 4 {
		return nil, nil
	}
	first, ok := hexByte(prefix[:2])
	if !ok {
		return nil, nil
	}
	var found []ID
	add := func(id ID) {
		if len(found) < limit && strings.HasPrefix(id.String(), prefix) && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	seen := s.seen.Load()
	for _, p := range seen.packs {
		b, err := p.index.bucket(first)
		if err != nil {
			return nil, err
		}
		for i := 0; b != nil && i < len(b.names); i += p.index.idSize {
			add(idFrom(s.format, b.names[i:]))
		}
	}
	if seen.loose[first] {
		names, err := readNames(s.root, prefix[:2], 1<<20)
		if err != nil {
			return nil, unreadable("objects/"+prefix[:2], err)
		}
		for _, name := range names {
			if id, ok := ParseID(prefix[:2] + name); ok && id.Format() == s.format {
				add(id)
			}
		}
	}
	return found, nil
}
