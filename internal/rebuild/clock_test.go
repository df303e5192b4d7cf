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
	}{
		"ISO":        {"built 2031-04-05T10:00:07Z", "as in ISO 8601", time.Time{}},
		"RFC 1123":   {"Sat, 05 Apr 2031", "as in RFC 1123", time.Time{}},
		"__DATE__":   {"built Apr  5 2031 10:00:07", "as __DATE__ has it", time.Time{}},
		"digits":     {fmt.Sprintf("epoch %d.", second), "in digits", time.Time{}},
		"little":     {"x" + string(binary.LittleEndian.AppendUint64(nil, second)), "in 8 bytes", time.Time{}},
		"big":        {"xyz" + string(binary.BigEndian.AppendUint64(nil, second)), "in 8 bytes", time.Time{}},
		"far":        {strings.Repeat("\xff", clockWindow-3) + "2031-04-05", "at offset 1048573", time.Time{}},
		"yesterday":  {fmt.Sprintf("2031-04-04 %d Apr  4 2031", began.Unix()-1), "", time.Time{}},
		"commit day": {"2031-04-05", "", began},
		"nothing":    {"", "", time.Time{}},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tool"), []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := timesIn(&Result{Dir: dir}, []sandbox.Output{{Path: "tool"}}, began, ended, c.commit.Unix())
		text := strings.Join(found, "; ")
		if err != nil || (text == "") != (c.want == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, text, err, c.want)
		}
	}
}
