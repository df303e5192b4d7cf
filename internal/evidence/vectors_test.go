package evidence_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFolder = "../../testdata/vectors/evidence"

// vector is evidence with one fault, what it is judged by, and what the answer must hold. Text "" is acceptance.
type vector struct {
	About, Row, Gist, Text string
	Evidence               []byte
	Root                   []byte // nil: the instance's
	Options                options
}

// options is what evidence is judged by, as it stands in a vector.
type options struct {
	Now        time.Time         `json:"now"`
	Digests    map[string]string `json:"digests"`
	Names      []string          `json:"names,omitempty"`
	Predicates []string          `json:"predicates,omitempty"`
	Message    bool              `json:"message,omitempty"`
	Require    evidence.Require  `json:"require"`
	Demand     demand            `json:"demand"`
	Principals []principal       `json:"principals"`
	Need       int64             `json:"need,omitempty"` // distinct principals of all
}

type principal struct {
	Name     string `json:"name"`
	Identity string `json:"identity,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Key      string `json:"key,omitempty"`
	Valid    string `json:"valid,omitempty"`
}

// judge gives the answer of the package, as a caller would ask for it.
func (o *options) judge(root, data []byte) ([]*evidence.Verified, error) {
	who, err := o.trust()
	if err != nil {
		return nil, err
	}
	roots, err := evidence.ParseTrustedRoots("trusted_root.json", root)
	if err != nil {
		return nil, err
	}
	bundles, err := evidence.ParseAll("evidence.json", data)
	if err != nil {
		return nil, err
	}
	held, refused := verifyAll(bundles, evidence.Options{Trust: who, Roots: roots, Require: o.Require, Now: o.Now,
		Subject: &evidence.Subject{Digests: o.Digests, Names: o.Names}, Expect: evidence.Expect{Predicates: o.Predicates, Message: o.Message}})
	if len(held) == 0 {
		return nil, refused[0]
	}
	var names []string
	for _, v := range held {
		names = append(names, v.Principals()...)
		if err := o.Demand.met(v); err != nil {
			return nil, fault.Failf(v.Name(), "%w", err)
		}
	}
	if ok, why := who.Satisfied("everybody", names); !ok {
		return nil, fault.Failf("quorum", "%s", why)
	}
	return held, nil
}

func (o *options) trust() (*trust.Trust, error) {
	var people []trust.Principal
	all := trust.Group{Name: "everybody", Threshold: trust.AtLeast(max(o.Need, 1))}
	for _, p := range o.Principals {
		t := trust.Principal{Name: p.Name, Identity: p.Identity, Issuer: p.Issuer}
		if p.Key != "" {
			t.PublicKeys = [][]byte{[]byte(p.Key)}
		}
		if p.Valid != "" {
			var err error
			if t.Valid, err = trust.ParseWindow(p.Valid); err != nil {
				return nil, err
			}
		}
		people = append(people, t)
		all.Members = append(all.Members, p.Name)
	}
	return trust.New(people, []trust.Group{all})
}

// holds checks an answer against the vector.
func (v *vector) holds(t *testing.T, err error) {
	t.Helper()
	switch {
	case v.Text == "" && err != nil:
		t.Errorf("refused: %v", err)
	case v.Text == "":
	case err == nil:
		t.Errorf("accepted; want %q", v.Text)
	case !strings.Contains(err.Error(), v.Text):
		t.Errorf("got %q, want %q", err, v.Text)
	case fault.ClassOf(err) != fault.Failed && !strings.Contains(v.Text, "trusted root"):
		t.Errorf("class %v: %v", fault.ClassOf(err), err)
	case !fault.Plain(err.Error()):
		t.Errorf("unprintable error %+q", err)
	}
}

// TestVectorsMade makes every vector and judges it; with -update it also writes them.
func TestVectorsMade(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "vectors")
	root := i.TrustedRoot(evidencetest.Spans{})
	made := vectors(t, i)
	rows := map[string]bool{}
	for name, v := range made {
		rows[v.Row] = true
		used := v.Root
		if used == nil {
			used = root
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verified, err := v.Options.judge(used, v.Evidence)
			v.holds(t, err)
			if v.Text == "" {
				for _, one := range verified {
					reference(t, used, v, one)
				}
			}
		})
	}
	for row := 37; row <= 59; row++ {
		if !rows[fmt.Sprint(row)] {
			t.Errorf("no vector for row %d", row)
		}
	}
	if *update {
		write(t, root, made)
	}
}

// TestVectorsKept judges the vectors as they were written once: what was refused stays refused.
func TestVectorsKept(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("they are being written")
	}
	root, err := os.ReadFile(filepath.Join(vectorFolder, "trusted_root.json"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(vectorFolder, "*.txtar"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			v := read(t, file)
			used := v.Root
			if used == nil {
				used = root
			}
			_, err := v.Options.judge(used, v.Evidence)
			v.holds(t, err)
		})
	}
}

func read(t *testing.T, file string) *vector {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := &vector{}
	about, fields, _ := strings.Cut(string(archive.Comment), "\n\n")
	v.About = about
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "row":
			v.Row = value
		case "gist":
			v.Gist = value
		case "text":
			v.Text = value
		case "exit":
			if (value == "0") != (v.Text == "") {
				t.Fatalf("exit %s beside text %q", value, v.Text)
			}
		default:
			t.Fatalf("unknown field %q", name)
		}
	}
	for _, f := range archive.Files {
		switch f.Name {
		case "evidence.json":
			v.Evidence = bytes.TrimSuffix(f.Data, []byte("\n"))
		case "trusted_root.json":
			v.Root = f.Data
		case "options.json":
			if err := json.Unmarshal(f.Data, &v.Options); err != nil {
				t.Fatal(err)
			}
		}
	}
	if v.About == "" || v.Gist == "" || v.Row == "" || v.Evidence == nil || !strings.HasPrefix(filepath.Base(file), v.Row+"-") {
		t.Fatalf("incomplete: %+v", v)
	}
	return v
}

func write(t *testing.T, root []byte, made map[string]*vector) {
	t.Helper()
	old, _ := filepath.Glob(filepath.Join(vectorFolder, "*.txtar"))
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(vectorFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(vectorFolder, "trusted_root.json"), append(root, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range made {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v := made[name]
		exit := 1
		if v.Text == "" {
			exit = 0
		}
		comment := fmt.Sprintf("%s\n\nrow: %s\ngist: %s\n", v.About, v.Row, v.Gist)
		if v.Text != "" {
			comment += "text: " + v.Text + "\n"
		}
		opts, err := json.MarshalIndent(v.Options, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		archive := &txtar.Archive{Comment: fmt.Appendf(nil, "%sexit: %d\n", comment, exit),
			Files: []txtar.File{{Name: "options.json", Data: append(opts, '\n')}, {Name: "evidence.json", Data: append(bytes.Clone(v.Evidence), '\n')}}}
		if v.Root != nil {
			archive.Files = append(archive.Files, txtar.File{Name: "trusted_root.json", Data: append(bytes.Clone(v.Root), '\n')})
		}
		if len(v.Evidence) > 256<<10 {
			continue // made anew each time, too large to keep
		}
		if err := os.WriteFile(filepath.Join(vectorFolder, name+".txtar"), txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
