package archive

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// rockRidge is what the system use entries of one record say (SUSP 1.12, RRIP 1.12).
type rockRidge struct {
	set       bool // PX was there
	mode      uint32
	uid, gid  int
	name      string
	link      string
	child     int64 // CL: where a relocated directory lies
	relocated bool  // RE
}

// findRockRidge looks into the first record of the root for the mark of SUSP.
func (r *isoReader) findRockRidge(root isoRecord) error {
	b, err := r.d.read((root.extent+int64(root.attr))*r.block, min(root.size, isoSector))
	if err != nil {
		return err
	}
	self, ok := parseISORecord(b)
	if !ok {
		return r.d.m.fail("malformed iso: root directory")
	}
	if u := self.use; len(u) >= 7 && string(u[:2]) == "SP" && u[4] == 0xbe && u[5] == 0xef {
		r.rock, r.skip = true, int(u[6])
	}
	return nil
}

// rockRidge reads the entries of one record, and of the areas in which they go on.
func (r *isoReader) rockRidge(use []byte) (rockRidge, error) {
	var out rockRidge
	var name, link strings.Builder
	if len(use) < r.skip {
		return out, nil
	}
	use = use[r.skip:]
	slash := false // a component of a link ended
	for areas := 0; ; areas++ {
		if areas > maxISOContinued {
			return out, r.d.m.fail("malformed iso: system use areas without end")
		}
		var next []byte
		for len(use) >= 4 {
			n := int(use[2])
			if n < 4 || n > len(use) {
				break
			}
			body := use[4:n]
			switch string(use[:2]) {
			case "PX":
				if len(body) >= 32 {
					le := binary.LittleEndian
					out.set, out.mode, out.uid, out.gid = true, le.Uint32(body), int(le.Uint32(body[16:])), int(le.Uint32(body[24:]))
				}
			case "NM":
				if len(body) >= 1 {
					if body[0]&6 != 0 {
						return out, r.d.m.fail("malformed iso: a name that means a directory")
					}
					name.Write(body[1:])
				}
			case "SL":
				if len(body) >= 1 {
					slash = components(&link, body[1:], slash)
				}
			case "CL":
				if len(body) >= 4 {
					out.child = int64(binary.LittleEndian.Uint32(body))
				}
			case "RE":
				out.relocated = true
			case "CE":
				if len(body) >= 24 {
					le := binary.LittleEndian
					at, n := int64(le.Uint32(body))*r.block+int64(le.Uint32(body[8:])), int64(le.Uint32(body[16:]))
					var err error
					if next, err = r.d.read(at, min(n, maxISOArea)); err != nil {
						return out, err
					}
					r.used = append(r.used, extent{at / isoSector * isoSector, isoSector})
				}
			case "ST":
				use = use[:n]
			}
			use = use[n:]
		}
		if next == nil {
			break
		}
		use = next
	}
	out.name, out.link = name.String(), link.String()
	if len(out.name) > MaxName || len(out.link) > MaxName {
		return out, r.d.m.fail("exceeds limit: name of more than %d bytes", MaxName)
	}
	return out, nil
}

// components writes the components of a link.
func components(to *strings.Builder, b []byte, slash bool) bool {
	for len(b) >= 2 && int(b[1])+2 <= len(b) {
		text := string(b[2 : 2+int(b[1])])
		flags := b[0]
		if slash {
			to.WriteByte('/')
		}
		slash = true
		switch {
		case flags&2 != 0:
			text = "."
		case flags&4 != 0:
			text = ".."
		case flags&8 != 0:
			text, slash = "/", false
		}
		to.WriteString(text)
		if flags&1 != 0 { // goes on in the next component
			slash = false
		}
		b = b[2+int(b[1]):]
	}
	return slash
}

// isoTime reads the seven bytes of a recording date.
func isoTime(b []byte) int64 {
	return time.Date(1900+int(b[0]), time.Month(b[1]), int(b[2]), int(b[3]), int(b[4]), int(b[5]), 0, time.FixedZone("", int(int8(b[6]))*15*60)).Unix()
}

func inconclusive(m *Meter, format string, args ...any) error {
	return fault.Inconclusivef(fault.Quote(m.Label), format, args...)
}
