package archive

import "slices"

// gaps looks at what lies between runs of bytes that are used, from one offset to another, where runs fill whole units: whatever is
// not zero there is a region.
func (d *Disk) gaps(used []extent, from, to, unit int64, what string) error {
	slices.SortFunc(used, func(a, b extent) int { return cmpInt64(a.offset, b.offset) })
	at := from
	for _, x := range append(used, extent{to, 0}) {
		if x.offset > at && x.offset <= to {
			if err := d.gap(at, x.offset, what); err != nil {
				return err
			}
		}
		at = max(at, (x.offset+x.size+unit-1)/unit*unit)
	}
	return nil
}

// gap adds a region where bytes are not zero.
func (d *Disk) gap(from, to int64, what string) error {
	buf := make([]byte, 64<<10)
	for off := from; off < to; off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), to-off)]
		if n, err := d.ra.ReadAt(b, off); n < len(b) {
			return err
		}
		if !allZero(b) && !isTransparentPadding(b) {
			d.regions = append(d.regions, Region{from, to - from, what})
			return nil
		}
	}
	return nil
}
