package archive

import (
	"fmt"
	"io"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// What one artefact may cost. Every number is checked before memory is taken or bytes are expanded.
const (
	MaxEntries      = 400_000   // members of one artefact, all levels together
	MaxName         = 4096      // bytes of one name or link target, PATH_MAX
	MaxMetadata     = 1 << 20   // bytes of extended headers of one member: pax records, GNU long names, extra fields
	MaxExpanded     = 32 << 30  // bytes that all levels together may expand to
	MaxRatio        = 200       // expanded bytes for each stored byte
	RatioFloor      = 16 << 20  // expanded bytes below which the ratio is not asked about
	MaxDepth        = 8         // archives within archives
	MaxSparse       = 65_536    // regions of one sparse member
	MaxWindow       = 64 << 20  // window or dictionary of xz and zstd
	MaxGzipField    = 64 << 10  // one optional field of a gzip header; the extra field's own length is 16 bit
	MaxRPMIndex     = 65_536    // index entries of one RPM header
	MaxRPMData      = 128 << 20 // data bytes of one RPM header
	maxXZHeader     = 1024      // (255+1)*4, the format's own maximum of a block header
	maxZipComment   = 1 << 16   // the format's own maximum
	maxArTable      = 16 << 20  // GNU table of long names
	maxZipAlign     = 4096      // zeros that align an APK signing block
	maxDiskRead     = 64 << 20  // bytes of a disk image that are read at once: a directory
	maxExtBlocks    = 1 << 40   // blocks of one file
	maxExtNodes     = 1 << 20   // nodes of the block tree of one file
	maxFATDirectory = 2 << 20   // bytes of one directory: the format's own maximum
	maxPartitions   = 256
	maxSquashMeta   = 1 << 30 // bytes of metadata of a squashfs, expanded, counted again when they are expanded again
	maxSquashKept   = 4096    // blocks of metadata that stay in memory
	maxSquashBlock  = 1 << 20 // bytes of a block: the format's own maximum
	maxSquashXattrs = 256     // of one file
	maxExtDepth     = 128     // directories within directories
	maxCentralScan  = maxZipComment + zipEndSize
)

// What an ISO 9660 image may cost beside.
const (
	maxISODescriptors = 64
	maxISODepth       = 64
	maxISOExtents     = 1024 // of one file
	maxISOContinued   = 64   // system use areas of one record
	maxISOArea        = 64 << 10
)

// Limits are the bounds for one artefact. The zero value of a field means the package's constant.
type Limits struct {
	Entries  int64
	Expanded int64
	Ratio    int64
	Floor    int64
	Depth    int
}

func (l Limits) filled() Limits {
	set := func(p *int64, v int64) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&l.Entries, MaxEntries)
	set(&l.Expanded, MaxExpanded)
	set(&l.Ratio, MaxRatio)
	set(&l.Floor, RatioFloor)
	if l.Depth <= 0 {
		l.Depth = MaxDepth
	}
	return l
}

// A Meter counts what reading an artefact costs, for all its levels together, and refuses what exceeds the limits.
// It is used by one goroutine.
type Meter struct {
	Label string // what messages call the archive
	Depth int    // 0 for the artefact itself

	total  *total
	stored int64 // bytes of this level as it is stored
	out    int64 // bytes that this level has expanded to
}

type total struct {
	lim      Limits
	stored   int64
	entries  int64
	expanded int64
}

// NewMeter returns the meter of an artefact of size bytes.
func NewMeter(label string, size int64, lim Limits) *Meter {
	return &Meter{Label: label, total: &total{lim: lim.filled(), stored: size}, stored: size}
}

// Nested returns the meter of an archive of size bytes inside m's; it fails when archives are nested too deep.
func (m *Meter) Nested(label string, size int64) (*Meter, error) {
	if m.Depth+1 > m.total.lim.Depth {
		return nil, fault.Failf(fault.Quote(label), "exceeds limit: archives nested deeper than %d", m.total.lim.Depth)
	}
	return &Meter{Label: label, Depth: m.Depth + 1, total: m.total, stored: size}, nil
}

// Layer returns a meter with an expansion ratio of its own for one compressed stream of size bytes inside m's.
func (m *Meter) Layer(label string, size int64) *Meter {
	return &Meter{Label: label, Depth: m.Depth, total: m.total, stored: size}
}

// Entry counts one member.
func (m *Meter) Entry() error {
	m.total.entries++
	if m.total.entries > m.total.lim.Entries {
		return m.fail("exceeds limit: more than %d entries", m.total.lim.Entries)
	}
	return nil
}

// Expand counts n more expanded bytes.
func (m *Meter) Expand(n int64) error {
	t := m.total
	if n < 0 || n > t.lim.Expanded-t.expanded {
		return m.fail("exceeds limit: expands to more than %d bytes", t.lim.Expanded)
	}
	m.out += n
	t.expanded += n
	if beyond(m.out, m.stored, t.lim) || beyond(t.expanded, t.stored, t.lim) {
		return m.fail("expansion exceeds %d×", t.lim.Ratio)
	}
	return nil
}

func beyond(out, stored int64, lim Limits) bool {
	return out > lim.Floor && out/lim.Ratio >= max(stored, 1)
}

// Expanded returns the bytes that all levels have expanded to so far.
func (m *Meter) Expanded() int64 { return m.total.expanded }

func (m *Meter) fail(format string, args ...any) error {
	return fault.Failf(fault.Quote(m.Label), format, args...)
}

func (m *Meter) failEntry(name, format string, args ...any) error {
	return fault.Failf(fault.Quote(name), format, args...)
}

// Reader returns r, metering what is read from it as expanded bytes.
func (m *Meter) Reader(r io.Reader) io.Reader { return &meteredReader{m: m, r: r} }

type meteredReader struct {
	m *Meter
	r io.Reader
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if xerr := r.m.Expand(int64(n)); xerr != nil {
		return 0, xerr
	}
	return n, err
}

// broken turns an early end into a fault and leaves classified errors as they are.
func (m *Meter) broken(what string, err error) error {
	if isFault(err) {
		return err
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return m.fail("truncated %s", what)
	}
	return m.fail("malformed %s: %w", what, fmt.Errorf("%s", fault.Quote(err.Error())))
}

// Trailing returns the refusal of data after the end of what m's archive may hold.
func (m *Meter) Trailing(what string) error { return m.fail("trailing data: %s", what) }
