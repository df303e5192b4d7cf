package rebuild

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// No namespace covers the wall clock, and two runs on one day show the same date. So every output is looked through for
// the time of its own run, in the forms that programs write it in. What is found is a hint for a person, no proof: a file
// may hold today's date for a good reason.
//
// A time of four bytes is not looked for: any few megabytes hold some by chance. The two runs of a build that writes one
// differ, since they begin at different seconds.

// span is a stretch of time that a run may have taken for its own.
type span struct {
	whose        string
	began, ended time.Time
	days         []dayForm
}

// spans are the time of a run, and what its programs were told that it was.
func (s *Shim) spans(began, ended time.Time) []span {
	list := []span{{whose: "the run", began: began, ended: ended}}
	if s == nil {
		return list
	}
	told := span{whose: "the time that it was told", began: began.Add(time.Duration(s.Seconds) * time.Second), ended: ended.Add(time.Duration(s.Seconds) * time.Second)}
	if s.Still {
		told.began, told.ended = time.Unix(s.Seconds, 0), time.Unix(s.Seconds, 0)
	}
	return append(list, told)
}

// timesIn looks through the outputs of a run for its times. Dates that the commit bears itself are not told.
func timesIn(res *Result, outputs []sandbox.Output, spans []span, commit int64) ([]string, error) {
	for i, s := range spans {
		spans[i].days = dayForms(s, time.Unix(commit, 0).UTC())
	}
	var found []string
	for _, o := range outputs {
		f, err := os.Open(res.Path(o.Path))
		if err != nil {
			return nil, fault.Inconclusivef(fault.Quote(o.Path), "%w", err)
		}
		strong, weak := "", ""
		err = windows(f, func(data []byte, at int64) bool {
			for _, s := range spans {
				if form, i := s.in(data); form != "" {
					strong = fmt.Sprintf("%s: %s at offset %d", fault.Quote(o.Path), form, at+int64(i))
					return false
				}
				if i := s.yearIn(data, commit); i >= 0 && weak == "" {
					weak = fmt.Sprintf("%s: the year of %s at offset %d", fault.Quote(o.Path), s.whose, at+int64(i))
				}
			}
			return true
		})
		f.Close()
		if strong = orElse(strong, weak); strong != "" {
			found = append(found, strong)
		}
		if err != nil {
			return nil, fault.Inconclusivef(fault.Quote(o.Path), "%w", err)
		}
	}
	return found, nil
}

// dayForm is one way to write a day.
type dayForm struct{ name, text string }

// dayForms are the days of a run, in every form, but for those of the commit.
func dayForms(s span, commit time.Time) []dayForm {
	var list []dayForm
	for _, layout := range []struct{ name, layout string }{
		{", as in ISO 8601", "2006-01-02"}, {"", "20060102"}, {"", "2006/01/02"},
		{", as in RFC 1123", "02 Jan 2006"}, {", as __DATE__ has it", "Jan _2 2006"}, {"", "01/02/2006"},
	} {
		for _, day := range []time.Time{s.began, s.ended} {
			f := dayForm{"the day of " + s.whose + layout.name, day.UTC().Format(layout.layout)}
			if f.text != commit.Format(layout.layout) && (len(list) == 0 || list[len(list)-1] != f) {
				list = append(list, f)
			}
		}
	}
	return list
}

// yearIn finds the year alone, where the commit is from another one; -1 when it is not there.
func (s span) yearIn(data []byte, commit int64) int {
	year := strconv.Itoa(s.ended.UTC().Year())
	if time.Unix(commit, 0).UTC().Year() == s.ended.UTC().Year() {
		return -1
	}
	word := func(i int) bool {
		return i >= 0 && i < len(data) && (data[i] >= '0' && data[i] <= '9' || data[i]|0x20 >= 'a' && data[i]|0x20 <= 'z')
	}
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(year))
		if i < 0 {
			return -1
		}
		if at := from + i; !word(at-1) && !word(at+len(year)) {
			return at
		}
		from += i + 1
	}
}

// in returns the first form of a time in the span that data hold, or of its day, and where it stands.
func (s span) in(data []byte) (string, int) {
	from, to := s.began.Unix(), s.ended.Unix()
	for _, d := range s.days {
		if i := bytes.Index(data, []byte(d.text)); i >= 0 {
			return d.name, i
		}
	}
	digits := commonPrefix([]byte(strconv.FormatInt(from, 10)), []byte(strconv.FormatInt(to, 10)))
	i := each(data, digits, 10, 0, func(b []byte) bool {
		v, err := strconv.ParseInt(string(b), 10, 64)
		return err == nil && v >= from && v <= to
	})
	if i >= 0 {
		return "the second of " + s.whose + ", in digits", i
	}
	high := commonPrefix(binary.BigEndian.AppendUint64(nil, uint64(from)), binary.BigEndian.AppendUint64(nil, uint64(to)))
	inside := func(v uint64) bool { return int64(v) >= from && int64(v) <= to }
	i = each(data, high, 8, 0, func(b []byte) bool { return inside(binary.BigEndian.Uint64(b)) })
	if i < 0 {
		slices.Reverse(high)
		i = each(data, high, 8, 8-len(high), func(b []byte) bool { return inside(binary.LittleEndian.Uint64(b)) })
	}
	if i >= 0 {
		return "the second of " + s.whose + ", in 8 bytes", i
	}
	return "", 0
}

// each looks at every place of size bytes that holds part after skip bytes, and returns the first that fits, or -1.
func each(data, part []byte, size, skip int, fits func([]byte) bool) int {
	for from := 0; ; {
		i := bytes.Index(data[from:], part)
		if i < 0 {
			return -1
		}
		at := from + i - skip
		if at >= 0 && at+size <= len(data) && fits(data[at:at+size]) {
			return at
		}
		from += i + 1
	}
}

func commonPrefix(a, b []byte) []byte {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:n:n]
}

// windows shows a file in overlapping parts until look says that it has seen enough.
func windows(r io.Reader, look func(data []byte, at int64) bool) error {
	const overlap = 32
	buffer := make([]byte, clockWindow+overlap)
	kept, at := 0, int64(0)
	for {
		n, err := io.ReadFull(r, buffer[kept:])
		data := buffer[:kept+n]
		if len(data) > 0 && !look(data, at) {
			return nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		kept = copy(buffer, data[len(data)-overlap:])
		at += int64(len(data) - overlap)
	}
}
