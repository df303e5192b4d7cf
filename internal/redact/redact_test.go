package redact

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// places calls each for the place of every text in a type.
func places(t reflect.Type, at string, each func(string)) {
	switch t.Kind() {
	case reflect.Pointer:
		places(t.Elem(), at, each)
	case reflect.Slice, reflect.Map:
		places(t.Elem(), at+"/*", each)
	case reflect.Struct:
		if t.String() == "time.Time" {
			each(at)
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-" || f.Name == "Commitments":
			case f.Anonymous && name == "":
				places(f.Type, at, each)
			default:
				places(f.Type, at+"/"+name, each)
			}
		}
	case reflect.String:
		each(at)
	}
}

// TestEveryPlaceHasAClass: whoever adds a text to the verdict says whether it may be left out.
func TestEveryPlaceHasAClass(t *testing.T) {
	t.Parallel()
	n := 0
	places(reflect.TypeFor[verdict.Verdict](), "", func(at string) {
		n++
		if classOf(strings.TrimPrefix(at, "/")) == unknown {
			t.Errorf("%s: no rule says whether it can be left out (internal/redact/entries.go)", at)
		}
	})
	if n < 200 {
		t.Errorf("only %d places", n)
	}
}

const secret = "internal/secret/plans.go"

// sample has something in every field, so that what may be left out and what may not both stand in it.
func sample(t *testing.T) verdict.Verdict {
	t.Helper()
	var v verdict.Verdict
	fill(reflect.ValueOf(&v).Elem(), "")
	v.Commitments = nil
	v.Format, v.Result, v.Match = 1, verdict.Failed, verdict.MatchDifferent
	v.Checks = []verdict.Check{{ID: verdict.CheckMatch, Status: verdict.StatusFailed, Text: secret + " differs", Evidence: []string{"sha256:00"}},
		{ID: verdict.CheckDissent, Status: verdict.StatusReported, Text: "dissent: lab-c found otherwise"}}
	sealed, err := Seal(v)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Pointer:
		if name == "Release" || name == "Commitments" {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		n := 1
		if slices.Contains([]string{"Refs", "Exceptions", "Members", "Statements"}, name) {
			n = 2
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), name)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, name)
		v.SetMapIndex(reflect.ValueOf("a/b~c"), value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), v.Type().Field(i).Name)
			}
		}
	case reflect.String:
		v.SetString("ab:" + name)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func must(t *testing.T, v verdict.Verdict, err error) verdict.Verdict {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRedactedIsTheSameVerdict(t *testing.T) {
	t.Parallel()
	whole := sample(t)
	must(t, whole, nil)
	for _, l := range Levels {
		v, err := Redact(whole, l)
		v = must(t, v, err)
		if v.Commitments.Root != whole.Commitments.Root || v.Commitments.Seed != "" {
			t.Errorf("%s: another root, or the seed is still there", l)
		}
		if out := text(t, v); strings.Contains(out, secret) || strings.Contains(out, whole.Commitments.Seed) {
			t.Errorf("%s: still says %s", l, secret)
		}
		hidden, all := Count(v)
		if _, of := Count(whole); hidden == 0 || of != all || hidden > all || (l == All) != (hidden == all) {
			t.Errorf("%s: %d of %d, the whole has %d", l, hidden, all, of)
		}
		for _, kept := range []bool{v.Result == whole.Result, v.Match == whole.Match, v.Checks[0].ID == whole.Checks[0].ID, v.Checks[0].Status == whole.Checks[0].Status, v.Checks[1].Text == whole.Checks[1].Text,
			slices.Equal(v.Exceptions, whole.Exceptions), v.Policy == whole.Policy, v.Recipe.SHA256 == whole.Recipe.SHA256, reflect.DeepEqual(v.Comparison.Counts, whole.Comparison.Counts),
			len(v.Comparison.Members) == 2, v.Comparison.Members[0].State == whole.Comparison.Members[0].State, reflect.DeepEqual(v.Votes, whole.Votes), v.Subject.SHA256 == whole.Subject.SHA256} {
			if !kept {
				t.Fatalf("%s: something is left out that never may be:\n%s", l, text(t, v))
			}
		}
		again, err := Redact(v, l)
		if again = must(t, again, err); text(t, again) != text(t, v) {
			t.Errorf("%s: leaving out twice is not leaving out once", l)
		}
	}
	paths, err := Redact(whole, Paths)
	paths = must(t, paths, err)
	if paths.Subject.Member == whole.Subject.Member || paths.Subject.Name != whole.Subject.Name {
		t.Error("paths: the member is shown, or the name is not")
	}
	both, err := Redact(paths, Code)
	if both = must(t, both, err); both.Recipe.Text == whole.Recipe.Text || both.Subject.Member == whole.Subject.Member {
		t.Error("code after paths: something is shown again")
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	whole := sample(t)
	v, err := Redact(whole, All)
	v = must(t, v, err)
	shown := strings.TrimSuffix(strings.TrimPrefix(v.Checks[0].Text, "[redacted "), "]")
	o, err := Open(whole, []string{shown, "/subject/member", v.Subject.Name})
	if err != nil || len(o.Open) != 3 {
		t.Fatal(o, err)
	}
	data, err := o.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if o, err = ParseOpenings("o", data); err != nil {
		t.Fatal(err)
	}
	opened, err := Apply(v, o)
	opened = must(t, opened, err)
	if opened.Checks[0].Text != whole.Checks[0].Text || opened.Subject.Member != whole.Subject.Member || opened.Subject.Name != whole.Subject.Name || opened.Recipe.Text == whole.Recipe.Text {
		t.Errorf("%+v", opened.Subject)
	}
	if o2, err := Open(opened, []string{"/subject/member"}); err != nil || text(t, o2.Open["/subject/member"]) != text(t, o.Open["/subject/member"]) {
		t.Error("what was opened cannot be handed on:", err)
	}
	for name, which := range map[string]string{"nothing": "", "a status": "/checks/0/status", "a digest": "/subject/sha256", "nowhere": "/x", "too few digits": shown[:4], "dissent": "/checks/1/text", "counts": "/comparison/counts/a~1b~0c"} {
		if _, err := Open(whole, []string{which}); fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(v, []string{"/subject/member"}); fault.ClassOf(err) != fault.Usage {
		t.Errorf("a redacted verdict opens: %v", err)
	}
	for name, change := range map[string]func(*Openings){
		"another value": func(o *Openings) { o.Open["/subject/member"] = Opening{o.Open["/subject/member"].Salt, "other"} },
		"swapped entries": func(o *Openings) {
			o.Open["/subject/member"], o.Open["/subject/name"] = o.Open["/subject/name"], o.Open["/subject/member"]
		},
		"a replayed salt": func(o *Openings) {
			o.Open["/subject/member"] = Opening{o.Open["/subject/name"].Salt, o.Open["/subject/member"].Value}
		},
		"a short salt":    func(o *Openings) { o.Open["/subject/member"] = Opening{"00", "x"} },
		"another verdict": func(o *Openings) { o.Root = strings.Repeat("0", 64) },
		"no such entry":   func(o *Openings) { o.Open["/result"] = o.Open["/subject/member"] },
		"a salt and bytes": func(o *Openings) {
			x := o.Open["/subject/member"]
			o.Open["/subject/member"] = Opening{x.Salt + x.Value, ""}
		},
	} {
		bad, err := ParseOpenings("o", data)
		if err != nil {
			t.Fatal(err)
		}
		change(bad)
		if _, err := Apply(v, bad); fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, doc := range []string{"{}", "[]", string(data) + " ", strings.Replace(string(data), `"format": 1`, `"format": 2`, 1), strings.Replace(string(data), `"root"`, `"format": 1, "root"`, 1)} {
		if _, err := ParseOpenings("o", []byte(doc)); fault.ClassOf(err) != fault.Usage {
			t.Errorf("%.40q: %v", doc, err)
		}
	}
}

// TestForgeries: nothing that was sealed can be changed, by nobody.
func TestForgeries(t *testing.T) {
	t.Parallel()
	whole := sample(t)
	redacted := map[string]func() verdict.Verdict{"whole": func() verdict.Verdict { return whole }}
	for _, l := range []Level{Code, All} {
		redacted[string(l)] = func() verdict.Verdict { v, err := Redact(whole, l); return must(t, v, err) }
	}
	for level, make := range redacted {
		for name, change := range map[string]func(*verdict.Verdict){
			"a status":             func(v *verdict.Verdict) { v.Checks[0].Status = verdict.StatusPassed },
			"a check dropped":      func(v *verdict.Verdict) { v.Checks = v.Checks[1:] },
			"a check doubled":      func(v *verdict.Verdict) { v.Checks = append(v.Checks, v.Checks[0]) },
			"the result":           func(v *verdict.Verdict) { v.Result = verdict.Passed },
			"the match":            func(v *verdict.Verdict) { v.Match = verdict.MatchIdentical },
			"an exception dropped": func(v *verdict.Verdict) { v.Exceptions = v.Exceptions[1:] },
			"all exceptions":       func(v *verdict.Verdict) { v.Exceptions = nil },
			"a count":              func(v *verdict.Verdict) { v.Comparison.Counts["a/b~c"]++ },
			"a state":              func(v *verdict.Verdict) { v.Comparison.Members[0].State = verdict.Identical },
			"a member dropped":     func(v *verdict.Verdict) { v.Comparison.Members = v.Comparison.Members[1:] },
			"the policy":           func(v *verdict.Verdict) { v.Policy.SHA256 = strings.Repeat("1", 64) },
			"the recipe":           func(v *verdict.Verdict) { v.Recipe.SHA256 = strings.Repeat("1", 64) },
			"a dissenter dropped":  func(v *verdict.Verdict) { v.Votes.Statements = v.Votes.Statements[1:] },
			"a dissenter hidden": func(v *verdict.Verdict) { // left out where nothing may be
				if v.Commitments.Hidden != nil {
					v.Commitments.Hidden["/votes/statements/0/name"] = strings.Repeat("a", 64)
				}
				v.Votes.Statements[0].Name = "[redacted aaaaaaaa]"
			},
			"a status hidden": func(v *verdict.Verdict) {
				if v.Commitments.Hidden != nil {
					v.Commitments.Hidden["/checks/0/status"] = strings.Repeat("a", 64)
				}
				v.Checks[0].Status = "[redacted aaaaaaaa]"
			},
			"a text":                  func(v *verdict.Verdict) { v.Checks[0].Text = "all is well" },
			"the root":                func(v *verdict.Verdict) { v.Commitments.Root = strings.Repeat("1", 64) },
			"the seed":                func(v *verdict.Verdict) { v.Commitments.Seed = strings.Repeat("1", 64) },
			"no seed and no salts":    func(v *verdict.Verdict) { *v.Commitments = verdict.Commitments{Root: v.Commitments.Root} },
			"two salts swapped":       func(v *verdict.Verdict) { swap(v, v.Commitments.Salts) },
			"two commitments swapped": func(v *verdict.Verdict) { swap(v, v.Commitments.Hidden) },
			"a commitment of another verdict": func(v *verdict.Verdict) {
				other, err := Seal(whole)
				if err == nil {
					other, err = Redact(other, All)
				}
				must(t, other, err)
				if swap(v, nil); v.Commitments.Hidden != nil {
					v.Commitments.Seed = ""
					at := slices.Sorted(maps.Keys(v.Commitments.Hidden))[0]
					v.Commitments.Hidden[at] = other.Commitments.Hidden[at]
				}
			},
			"a list cut into the next": func(v *verdict.Verdict) { v.Source.Refs = []string{v.Source.Refs[0] + v.Source.Refs[1]} },
		} {
			var v verdict.Verdict
			if err := json.Unmarshal([]byte(text(t, make())), &v); err != nil {
				t.Fatal(err)
			}
			must(t, v, nil)
			change(&v)
			if err := Check(v); err == nil {
				t.Errorf("%s: %s was changed, and it is still the same verdict", level, name)
			}
		}
	}
}

// swap exchanges what stands at the first two places of a verdict in which something is left out; in a whole one it changes the seed.
func swap(v *verdict.Verdict, of map[string]string) {
	if v.Commitments.Seed != "" {
		v.Commitments.Seed = strings.Repeat("2", 64)
	}
	switch at := slices.Sorted(maps.Keys(of)); len(at) {
	case 0, 1: // nothing is shown that has a salt: one is made up
		v.Commitments.Salts = map[string]string{"/summary": strings.Repeat("3", 2*saltBytes)}
	default:
		of[at[0]], of[at[1]] = of[at[1]], of[at[0]]
	}
}

// TestShortPathsCannotBeTried: whoever guesses a path cannot see from a redacted verdict that it is right, and equal entries
// show nothing of being equal.
func TestShortPathsCannotBeTried(t *testing.T) {
	t.Parallel()
	whole := sample(t)
	v, err := Redact(whole, All)
	v = must(t, v, err)
	seen := map[string]bool{}
	for at, c := range v.Commitments.Hidden {
		if seen[c] {
			t.Fatalf("%s has the commitment of another entry", at)
		}
		seen[c] = true
		for _, salt := range [][]byte{nil, make([]byte, saltBytes)} {
			if commit(salt, "ab:Member") == c {
				t.Fatal("a commitment without a salt of its own")
			}
		}
	}
	again, err := Seal(whole)
	if err != nil || again.Commitments.Root == whole.Commitments.Root || again.Commitments.Seed == whole.Commitments.Seed {
		t.Error("two seals are one:", err)
	}
}

func TestUnsealed(t *testing.T) {
	t.Parallel()
	var v verdict.Verdict
	if err := Check(v); err != nil {
		t.Error(err)
	}
	if _, err := Redact(v, All); fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
		t.Error(err)
	}
	if _, err := Open(v, []string{"/summary"}); fault.ClassOf(err) != fault.Usage {
		t.Error(err)
	}
	if _, err := Redact(sample(t), "names"); fault.ClassOf(err) != fault.Usage {
		t.Error(err)
	}
}

// TestOriginPaths: which files are in a binary is left out with the other names of files; how many they are is not.
func TestOriginPaths(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("a", 64)
	whole := sample(t)
	whole.Commitments = nil
	whole.Rebuild.Origins = []verdict.Origin{{Names: []string{"out/secret-name"}, SHA256: sum, By: []string{"debug-data"}, Why: "secret-name", Source: []verdict.Digest{{Name: "src/secret-name", SHA256: sum}},
		Package: []verdict.Digest{{Name: "p/secret-name", SHA256: sum}}, Made: []verdict.MadeFile{{Name: "gen/secret-name"}}, Unread: []string{"u/secret-name"}, Unknown: []string{"/home/secret-name"},
		Parts: []verdict.OriginPart{{Kind: "module", Name: "example.org/module", Files: 3}}}}
	whole, err := Seal(whole)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Redact(must(t, whole, nil), Paths)
	v = must(t, v, err)
	o := v.Rebuild.Origins[0]
	if out := text(t, o); strings.Contains(out, "secret-name") {
		t.Error(out)
	}
	if o.SHA256 != sum || o.By[0] != "debug-data" || len(o.Source) != 1 || o.Source[0].SHA256 != sum || o.Parts[0].Name != "example.org/module" {
		t.Errorf("%+v", o)
	}
	all, err := Redact(whole, All)
	if all = must(t, all, err); strings.Contains(text(t, all.Rebuild.Origins), "example.org") {
		t.Error("all: the module is shown")
	}
}
