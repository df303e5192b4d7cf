package code

import (
	"debug/dwarf"
	"sync"
)

// dwarfLines returns a function that looks up lines in debug data, which are read when they are first asked for.
func dwarfLines(open func() (*dwarf.Data, error)) func(pc uint64) (string, int) {
	data := sync.OnceValue(func() *dwarf.Data {
		d, err := open()
		if err != nil {
			return nil
		}
		return d
	})
	return func(pc uint64) (string, int) {
		d := data()
		if d == nil {
			return "", 0
		}
		unit, err := d.Reader().SeekPC(pc)
		if err != nil {
			return "", 0
		}
		lines, err := d.LineReader(unit)
		if err != nil || lines == nil {
			return "", 0
		}
		var e dwarf.LineEntry
		if lines.SeekPC(pc, &e) != nil || e.File == nil {
			return "", 0
		}
		return e.File.Name, e.Line
	}
}
