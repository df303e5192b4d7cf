// Package vectors holds bad input with one fault each, and the answer that it must get.
//
// A vector is a txtar file. Its comment says what the fault is and then names, one on a line: row, the row of the
// bad-input corpus; gist, that row's text; text, what the error must hold; exit, the exit code. Where a document is too
// large to keep, "append: TEXT COUNT" puts it at the end. A command line has one argument on a line, and may say with
// "not" what must never be printed.
package vectors

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/testdata/vendors"
)

// vector is one file, read.
type vector struct {
	about, row, gist, text string
	not                    string // what must not be printed
	exit                   int
	data                   []byte
}

func read(t *testing.T, file string) vector {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) != 1 {
		t.Fatalf("%d files in it, want 1", len(archive.Files))
	}
	v := vector{exit: -1, data: archive.Files[0].Data}
	about, fields, _ := strings.Cut(string(archive.Comment), "\n\n")
	v.about = about
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "row":
			v.row = value
		case "gist":
			v.gist = value
		case "text":
			v.text = value
		case "not":
			v.not = value
		case "exit":
			v.exit, err = strconv.Atoi(value)
		case "append":
			text, count, _ := strings.Cut(value, " ")
			n, err := strconv.Atoi(count)
			if err != nil {
				t.Fatal(err)
			}
			v.data = append([]byte(strings.TrimSuffix(string(v.data), "\n")), strings.Repeat(text, n)...)
		default:
			t.Fatalf("unknown field %q", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if v.about == "" || v.gist == "" || !strings.HasPrefix(filepath.Base(file), v.row+"-") || (v.text == "") != (v.exit == 0) {
		t.Fatalf("incomplete: %+v", v)
	}
	return v
}

// each runs check on every vector of a folder and holds its error against the vector.
func each(t *testing.T, folder string, rows string, check func(data []byte) error) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			v := read(t, file)
			seen[v.row] = true
			err := check(v.data)
			if v.exit == 0 {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var f *fault.Error
			switch {
			case err == nil:
				t.Fatalf("accepted; want %q", v.text)
			case !errors.As(err, &f):
				t.Fatalf("not a classified error: %v", err)
			case f.Class != fault.Usage || v.exit != 4:
				t.Errorf("class %v, want the exit code %d: %v", f.Class, v.exit, err)
			case v.text == "" || !strings.Contains(f.Reason, v.text):
				t.Errorf("got %q, want %q in the reason", err, v.text)
			case !strings.Contains(f.Object, ".toml"):
				t.Errorf("%q does not say which file it is about", err)
			case !fault.Plain(err.Error()):
				t.Errorf("unprintable error %+q", err)
			}
		})
	}
	for row := range strings.FieldsSeq(rows) {
		if !seen[row] {
			t.Errorf("no vector for row %s", row)
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	each(t, "policy", "00 01 02 03 04 05 06 07 08 09 15", func(data []byte) error {
		file := filepath.Join(t.TempDir(), "policy.toml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := policy.Load(file, time.Now())
		return err
	})
}

func TestRecipe(t *testing.T) {
	t.Parallel()
	each(t, "recipe", "00 01 02 03 09 11 12 13 14 15", func(data []byte) error {
		_, err := recipe.Parse(recipe.FileName, data)
		return err
	})
}

var built struct {
	once sync.Once
	dir  string
	err  error
}

// program builds the program, once for all tests.
func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "vectors"); built.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-o", filepath.Join(built.dir, "glassbuild"), "../../cmd/glassbuild").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "glassbuild")
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// TestUsage runs the program itself, in the folder of a sample vendor.
func TestUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin := program(t)
	if _, err := vendors.Make(t.Context(), dir, vendors.Options{Only: []string{"honest-binary"}}); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	files, err := filepath.Glob("usage/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			v := read(t, file)
			cmd := exec.Command(bin, strings.Split(strings.TrimSuffix(string(v.data), "\n"), "\n")...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != v.exit {
				t.Errorf("exit code %d, want %d (%v)\n%s", got, v.exit, err, out)
			}
			if !bytes.Contains(out, []byte(v.text)) {
				t.Errorf("want %q in\n%s", v.text, out)
			}
			if v.not != "" && bytes.Contains(out, []byte(v.not)) {
				t.Errorf("%q is printed:\n%s", v.not, out)
			}
			if bytes.ContainsAny(out, "\x1b\x07") {
				t.Errorf("control characters are printed: %q", out)
			}
		})
	}
	if after := listing(t, dir); after != before {
		t.Errorf("files appeared or went:\n%s\nbefore:\n%s", after, before)
	}
}

// listing names every file below dir.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		b.WriteString(path + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
