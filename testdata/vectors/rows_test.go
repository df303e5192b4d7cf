package vectors

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// lastRow is the number of the last row of the bad-input corpus.
const lastRow = 81

// TestRows wants every row of the corpus in rows.txt, and everything that is named there to exist.
func TestRows(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	next := 1
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if want := fmt.Sprintf("%02d", next); fields[0] != want {
			t.Fatalf("row %s stands where row %s belongs", fields[0], want)
		}
		next++
		if len(fields) == 1 {
			t.Errorf("row %s: nothing holds it", fields[0])
		}
		for _, place := range fields[1:] {
			if err := exists(place); err != nil {
				t.Errorf("row %s: %s: %v", fields[0], place, err)
			}
		}
	}
	if next != lastRow+1 {
		t.Errorf("the last row is %d, want %d", next-1, lastRow)
	}
}

// exists looks a place of rows.txt up.
func exists(place string) error {
	if pkg, name, ok := strings.Cut(place, ":"); ok {
		return found(filepath.Join("..", "..", filepath.FromSlash(pkg), "*_test.go"), `(?m)^func `+regexp.QuoteMeta(name)+`\(t \*testing\.T\)`)
	}
	if script, ok := strings.CutPrefix(place, "script/"); ok {
		file, row, _ := strings.Cut(script, "#")
		return found(filepath.Join("..", "..", "cmd", "glassbuild", "testdata", "script", file+".txtar"), `(?m)^# (row )?(\d\d and )?`+row+`\b`)
	}
	return found(filepath.FromSlash(place), `(?m)^row:? *\d`)
}

// found wants a file that the pattern names to hold the text.
func found(pattern, text string) error {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no file (%v)", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if regexp.MustCompile(text).Match(data) {
			return nil
		}
	}
	return fmt.Errorf("not in %d files", len(files))
}
