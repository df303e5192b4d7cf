package archive

import (
	"io"
	"strconv"
	"strings"
)

// A region of a sparse member that is stored; everything between regions is zero.
type region struct{ off, size int64 }

// sparseReader returns the logical content of a sparse member.
type sparseReader struct {
	t       *Tar
	regions []region
	pos     int64
	size    int64
}

// startSparse reads the map of a sparse member in one of GNU's four forms and checks it: regions ascend, do not
// overlap, lie inside the logical size and add up to the stored size. Holes count as expansion (CVE-2025-58183 and
// CVE-2026-32288 are maps and holes without bound).
func (t *Tar) startSparse(e *Entry, h *tarHeader, ext *extended) error {
	before := t.in.off
	regions, size, err := t.sparseMap(h, ext)
	if err != nil {
		return err
	}
	if h.flag == 'S' {
		before = t.in.off // extension blocks of the old form are not counted in the member's size
	}
	stored := e.Size - (t.in.off - before)
	var end, sum int64
	for _, r := range regions {
		if r.off < end || r.size < 0 || r.off > size || r.size > size-r.off {
			return t.meter.failEntry(e.Name, "malformed sparse map")
		}
		end = r.off + r.size
		sum += r.size
	}
	if size < 0 || stored < 0 || sum != stored {
		return t.meter.failEntry(e.Name, "malformed sparse map")
	}
	if err := t.meter.Expand(size - sum); err != nil {
		return err
	}
	t.left = stored
	e.Size, e.Offset = size, -1
	t.sparse = &sparseReader{t: t, regions: regions, size: size}
	return nil
}

func (t *Tar) sparseMap(h *tarHeader, ext *extended) ([]region, int64, error) {
	if h.flag == 'S' {
		return t.oldSparseMap(h)
	}
	bad := t.meter.fail("malformed tar: sparse map")
	realsize := ext.records["GNU.sparse.realsize"]
	if realsize == "" {
		realsize = ext.records["GNU.sparse.size"]
	}
	size, err := strconv.ParseInt(realsize, 10, 64)
	if err != nil {
		return nil, 0, bad
	}
	var numbers []string
	switch {
	case ext.records["GNU.sparse.major"] == "1":
		r, err := t.newSparseMap()
		return r, size, err
	case ext.sparseMap != nil:
		for i := 0; i+3 < len(ext.sparseMap); i += 4 {
			if ext.sparseMap[i] != "GNU.sparse.offset" || ext.sparseMap[i+2] != "GNU.sparse.numbytes" {
				return nil, 0, bad
			}
			numbers = append(numbers, ext.sparseMap[i+1], ext.sparseMap[i+3])
		}
		if len(ext.sparseMap)%4 != 0 {
			return nil, 0, bad
		}
	default:
		numbers = strings.Split(ext.records["GNU.sparse.map"], ",")
	}
	r, err := t.regionList(numbers)
	return r, size, err
}

func (t *Tar) regionList(numbers []string) ([]region, error) {
	if len(numbers) > 2*MaxSparse {
		return nil, t.meter.fail("exceeds limit: more than %d sparse regions", MaxSparse)
	}
	var regions []region
	for i := 0; i+1 < len(numbers); i += 2 {
		off, err1 := strconv.ParseInt(numbers[i], 10, 64)
		size, err2 := strconv.ParseInt(numbers[i+1], 10, 64)
		if err1 != nil || err2 != nil || off < 0 || size < 0 {
			return nil, t.meter.fail("malformed tar: sparse map")
		}
		regions = append(regions, region{off, size})
	}
	if len(numbers)%2 != 0 {
		return nil, t.meter.fail("malformed tar: sparse map")
	}
	return regions, nil
}

// newSparseMap reads the form 1.0: decimal lines at the start of the data, padded to a block.
func (t *Tar) newSparseMap() ([]region, error) {
	var blk [tarBlock]byte
	var rest []byte
	var read int64
	line := func() (string, error) {
		for {
			if i := strings.IndexByte(string(rest), '\n'); i >= 0 {
				s := string(rest[:i])
				rest = rest[i+1:]
				return s, nil
			}
			if read += tarBlock; len(rest) > tarBlock || read > MaxMetadata || read > t.left {
				return "", t.meter.fail("exceeds limit: sparse map")
			}
			if err := t.in.full(blk[:]); err != nil {
				return "", asTruncated(err)
			}
			rest = append(rest, blk[:]...)
		}
	}
	first, err := line()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(first, 10, 31)
	if err != nil || n > MaxSparse {
		return nil, t.meter.fail("exceeds limit: %q sparse regions", first)
	}
	var numbers []string
	for range 2 * n {
		s, err := line()
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, s)
	}
	return t.regionList(numbers)
}

// oldSparseMap reads the map of a type S header and of the extension blocks that follow it.
func (t *Tar) oldSparseMap(h *tarHeader) ([]region, int64, error) {
	size, ok := tarNumber(h.block[483:495])
	if !ok {
		return nil, 0, t.meter.fail("malformed tar: sparse size")
	}
	regions, more, err := t.oldRegions(nil, h.block[386:482], h.block[482])
	for ; err == nil && more; regions, more, err = t.oldRegions(regions, h.block[:504], h.block[504]) {
		if err := t.in.full(h.block[:]); err != nil {
			return nil, 0, asTruncated(err)
		}
	}
	return regions, size, err
}

func (t *Tar) oldRegions(regions []region, table []byte, flag byte) ([]region, bool, error) {
	for ; len(table) >= 24 && table[0] != 0; table = table[24:] {
		off, ok1 := tarNumber(table[:12])
		size, ok2 := tarNumber(table[12:24])
		if !ok1 || !ok2 || off < 0 || size < 0 {
			return nil, false, t.meter.fail("malformed tar: sparse map")
		}
		if len(regions) >= MaxSparse {
			return nil, false, t.meter.fail("exceeds limit: more than %d sparse regions", MaxSparse)
		}
		regions = append(regions, region{off, size})
	}
	return regions, flag != 0, nil
}

func (s *sparseReader) Read(p []byte) (int, error) {
	if s.pos >= s.size {
		return 0, io.EOF
	}
	for len(s.regions) > 0 && s.pos >= s.regions[0].off+s.regions[0].size {
		s.regions = s.regions[1:]
	}
	next := s.size
	if len(s.regions) > 0 {
		if r := s.regions[0]; s.pos >= r.off {
			n, err := s.t.readStored(p[:min(int64(len(p)), r.off+r.size-s.pos)])
			s.pos += int64(n)
			return n, err
		}
		next = s.regions[0].off
	}
	n := int(min(int64(len(p)), next-s.pos))
	clear(p[:n])
	s.pos += int64(n)
	return n, nil
}
