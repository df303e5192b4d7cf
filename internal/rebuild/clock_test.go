package rebuild

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// TestTimesIn finds the time of a run in every form that it is looked for, also where two windows meet, and nothing else.
func TestTimesIn(t *testing.T) {
	t.Parallel()
	began := time.Date(2031, 4, 5, 10, 0, 0, 0, time.UTC)
	ended := began.Add(10 * time.Minute)
	second := uint64(began.Unix() + 7)
	for name, c := range map[string]struct {
		data, want string
		commit     time.Time
		told       *Shim
	}{
		"ISO":        {"built 2031-04-05T10:00:07Z", "as in ISO 8601", time.Time{}, nil},
		"RFC 1123":   {"Sat, 05 Apr 2031", "as in RFC 1123", time.Time{}, nil},
		"__DATE__":   {"built Apr  5 2031 10:00:07", "as __DATE__ has it", time.Time{}, nil},
		"digits":     {fmt.Sprintf("epoch %d.", second), "in digits", time.Time{}, nil},
		"little":     {"x" + string(binary.LittleEndian.AppendUint64(nil, second)), "in 8 bytes", time.Time{}, nil},
		"big":        {"xyz" + string(binary.BigEndian.AppendUint64(nil, second)), "in 8 bytes", time.Time{}, nil},
		"far":        {strings.Repeat("\xff", clockWindow-3) + "2031-04-05", "at offset 1048573", time.Time{}, nil},
		"yesterday":  {fmt.Sprintf("31-04-04 %d Apr  4", began.Unix()-1), "", time.Time{}, nil},
		"commit day": {"2031-04-05", "", began, nil},
		"year":       {"(c) 2031, us", "the year of the run", time.Time{}, nil},
		"year first": {"(c) 2031, us" + strings.Repeat("\xff", clockWindow) + "20310405", "the day of the run", time.Time{}, nil},
		"in a word":  {"x2031 120314", "", time.Time{}, nil},
		"told":       {"built 2032-05-09", "the day of the time that it was told, as in ISO 8601", time.Time{}, &Shim{Seconds: 400 * 24 * 3600}},
		"told year":  {"built 2032", "the year of the time that it was told", time.Time{}, &Shim{Seconds: 400 * 24 * 3600}},
		"still":      {fmt.Sprint(second + 5e7), "the second of the time that it was told, in digits", time.Time{}, &Shim{Seconds: int64(second) + 5e7, Still: true}},
		"nothing":    {"", "", time.Time{}, nil},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tool"), []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := timesIn(&Result{Dir: dir}, []sandbox.Output{{Path: "tool"}}, c.told.spans(began, ended), c.commit.Unix())
		text := strings.Join(found, "; ")
		if err != nil || (text == "") != (c.want == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, text, err, c.want)
		}
	}
}
