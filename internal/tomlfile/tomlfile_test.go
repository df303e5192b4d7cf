package tomlfile_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// threshold is "any", "all" or a number: the case that Unmarshaler exists for.
type threshold struct {
	word  string
	count int
}

func (t *threshold) UnmarshalTOML(v tomlfile.Value) error {
	switch v.Kind() {
	case tomlfile.Integer:
		return v.Decode(&t.count)
	case tomlfile.String:
		if err := v.Decode(&t.word); err != nil {
			return err
		}
		if t.word == "any" || t.word == "all" {
			return nil
		}
	}
	return v.Errorf(`want "any", "all" or a number`)
}

type group struct {
	Name      string    `toml:"name,required"`
	Members   []string  `toml:"members"`
	Threshold threshold `toml:"threshold"`
	Identity  string    `toml:"identity"`
}

type document struct {
	Expires tomlfile.Date     `toml:"expires"`
	At      time.Time         `toml:"at"`
	Flag    *bool             `toml:"flag"`
	Small   uint8             `toml:"small"`
	Env     map[string]string `toml:"env"`
	Group   []group           `toml:"group"`
	Source  struct {
		Path []struct {
			Match string `toml:"match"`
		} `toml:"path"`
		Depth int `toml:"depth"`
	} `toml:"source"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const text = `# a comment
format = 1
expires = 2027-06-30
at = 2026-01-02 03:04:05+01:00
flag = false
small = 0xff
[env]
A = "1"
"b c" = 'x\y'
[[group]]
name = "one"   # trailing comment
members = [
  "a", # first
  "b",
]
threshold = 2
[[group]]
name = """
two\
   three"""
threshold = "any"
[source]
depth = -1_000
[[source.path]]
match = "glass.*"
[[source.path]]
match = "b"
`
	var got document
	doc, err := tomlfile.Decode("policy.toml", []byte(text), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := document{
		Expires: tomlfile.Date{Year: 2027, Month: 6, Day: 30},
		At:      got.At,
		Flag:    new(bool),
		Small:   255,
		Env:     map[string]string{"A": "1", "b c": `x\y`},
		Group: []group{
			{Name: "one", Members: []string{"a", "b"}, Threshold: threshold{count: 2}},
			{Name: "twothree", Threshold: threshold{word: "any"}},
		},
	}
	want.Source.Depth = -1000
	want.Source.Path = append(want.Source.Path, struct {
		Match string `toml:"match"`
	}{"glass.*"}, struct {
		Match string `toml:"match"`
	}{"b"})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if s := got.At.UTC().Format(time.RFC3339); s != "2026-01-02T02:04:05Z" {
		t.Errorf("time %s", s)
	}
	if got.Expires.End().Sub(got.Expires.Start()) != 24*time.Hour || got.Expires.String() != "2027-06-30" {
		t.Errorf("date %v", got.Expires)
	}
	for path, position := range map[string]string{
		"group[1].threshold":   "policy.toml:21:1",
		"group[0].members[1]":  "policy.toml:14:3",
		"group[0].nothing":     "policy.toml:10:1",
		"source.path[1].match": "policy.toml:27:1",
		"env.A":                "policy.toml:8:1",
		"group[7]":             "policy.toml:10:1",
	} {
		if at := doc.At(path); at != position {
			t.Errorf("At(%s) = %s, want %s", path, at, position)
		}
	}
	if !doc.Has("source.depth") || doc.Has("source.deep") || doc.Has("group[2]") {
		t.Error("Has is wrong")
	}
	if err := doc.Errorf("source.depth", "odd").Error(); err != "policy.toml:23:1: odd" {
		t.Errorf("Errorf: %s", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	deep := "format = 1\nx = " + strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for _, c := range []struct{ name, text, want, hint string }{
		{"duplicate key", "format = 1\n[[group]]\nname = \"a\"\nthreshold = 1\nthreshold = 2\n", "p.toml:5:1: duplicate key threshold", ""},
		{"duplicate by dots", "format = 1\nenv.A = '1'\nenv.A = '2'", "p.toml:3:5: duplicate key A", ""},
		{"duplicate table", "format = 1\n[env]\n[env]", "p.toml:3:2: duplicate key env", ""},
		{"table over value", "format = 1\nenv = {}\n[env]\nA='1'", "p.toml:3:2: duplicate key env", ""},
		{"array over inline array", "format = 1\ngroup = []\n[[group]]\nname='a'", "p.toml:3:3: duplicate key group", ""},
		{"dotted into header table", "format = 1\n[source.path]\n[source]\npath.x = 1", "p.toml:4:1: duplicate key path", ""},
		{"misspelt key", "format = 1\n[[group]]\nname = \"a\"\ntreshold = 1", "p.toml:4:1: unknown key treshold", "did you mean threshold?"},
		{"letter case", "format = 1\n[[group]]\nname = \"a\"\nIdentity = \"x\"", "p.toml:4:1: unknown key Identity", "keys are case-sensitive: write identity"},
		{"unknown key", "format = 1\nzzzzzzz = 1", "p.toml:2:1: unknown key zzzzzzz", "known keys here: at, env, expires, flag, group, small, source"},
		{"untagged field", "format = 1\ninternal = 'x'", "p.toml:2:1: unknown key internal", "known keys here: at, env, expires, flag, group, small, source"},
		{"hostile key", "format = 1\n\"a\\u001b[2J\" = 1", `p.toml:2:1: unknown key "a\x1b[2J"`, "known keys here: at, env, expires, flag, group, small, source"},
		{"missing key", "format = 1\n\n[[group]]\nthreshold = 1", "p.toml:3:1: missing key name", ""},
		{"wrong type", "format = 1\nflag = \"true\"", "p.toml:2:1: want boolean, got string", ""},
		{"wrong element", "format = 1\n[[group]]\nname='a'\nmembers = ['a', 1]", "p.toml:4:17: want string, got integer", ""},
		{"wrong map value", "format = 1\nenv = { A = true }", "p.toml:2:9: want string, got boolean", ""},
		{"own type", "format = 1\n[[group]]\nname='a'\nthreshold = 'most'", `p.toml:4:1: want "any", "all" or a number`, ""},
		{"number too large", "format = 1\nsmall = 256", "p.toml:2:1: 256 is out of range", ""},
		{"negative number", "format = 1\nsmall = -1", "p.toml:2:1: -1 is out of range", ""},
		{"leading zero", "format = 1\nsmall = 07", `p.toml:2:9: "07" is not a string, integer, boolean, date or offset date-time`, ""},
		{"float", "format = 1\nsmall = 1.0", `p.toml:2:9: "1.0" is not a string, integer, boolean, date or offset date-time`, ""},
		{"no such date", "format = 1\nexpires = 2027-02-30", `p.toml:2:11: "2027-02-30" is not a string, integer, boolean, date or offset date-time`, ""},
		{"date as string", "format = 1\nexpires = \"2027-02-03\"", "p.toml:2:1: want date, got string", ""},
		{"trailing data", "format = 1\nsmall = 1 2", "p.toml:2:11: trailing data after the value", ""},
		{"two pairs a line", "format = 1 small = 1", "p.toml:1:12: trailing data after the value", ""},
		{"open string", "format = 1\n[env]\nA = \"x\nB = 1", "p.toml:3:5: string does not end on its line", ""},
		{"open long string", "format = 1\n[env]\nA = '''x\nB = 1", "p.toml:3:5: string does not end", ""},
		{"open array", "format = 1\nx = [1, 2", "p.toml:2:10: want , or ] in the array", ""},
		{"open inline table", "format = 1\nenv = { A = '1'", "p.toml:2:16: want , or } in the inline table", ""},
		{"bad escape", "format = 1\n[env]\nA = \"\\q\"", "p.toml:3:6: unknown escape sequence", ""},
		{"surrogate", "format = 1\n[env]\nA = \"\\ud800\"", "p.toml:3:6: escape sequence is no Unicode character", ""},
		{"no value", "format = 1\nflag =", "p.toml:2:7: want a value", ""},
		{"no equals sign", "format = 1\nflag\n", "p.toml:2:5: want = after key flag", ""},
		{"no key", "format = 1\n= 1", "p.toml:2:1: want a key", ""},
		{"open header", "format = 1\n[env\nA='1'", `p.toml:2:5: want "]" to end the table header`, ""},
		{"many dots", "format = 1\na.b.c.d.e.f.g.h.i = 1", "p.toml:2:17: key of more than 8 parts", ""},
		{"deep", deep, "p.toml:2:21: nests deeper than 16 levels", ""},
		{"large", "format = 1\nx = " + strings.Repeat("[", 4<<20), "p.toml: document exceeds 64 KiB", ""},
		{"invalid UTF-8", "format = 1\n# \xff", "p.toml:2:3: invalid UTF-8", ""},
		{"overlong UTF-8", "format = 1\n# \xc0\x80", "p.toml:2:3: invalid UTF-8", ""},
		{"escape character", "format = 1\n# é\x1b[2J", "p.toml:2:4: control character U+001B", ""},
		{"zero byte", "format = 1\x00", "p.toml:1:11: control character U+0000", ""},
		{"C1 control", "format = 1\n# \u009b", "p.toml:2:3: control character U+009B", ""},
		{"carriage return", "format = 1\rsmall = 1", "p.toml:1:11: carriage return without line feed", ""},
		{"bidirectional control", "format = 1\n# \u202e", "p.toml:2:3: invisible character U+202E", ""},
		{"byte order mark", "\ufeffformat = 1", "p.toml:1:1: invisible character U+FEFF", ""},
		{"empty", "", `p.toml:1:1: the first key must be "format = 1"`, ""},
		{"format last", "small = 1\nformat = 1", `p.toml:1:1: the first key must be "format = 1"`, ""},
		{"other format", "format = 2", "p.toml:1:1: format 2 is not supported, want 1", ""},
		{"format as string", "format = '1'", "p.toml:1:1: format: want integer, got string", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := tomlfile.Decode("p.toml", []byte(c.text), new(document))
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want || fault.HintOf(err) != c.hint {
				t.Errorf("got  %v (hint %q)\nwant %s (hint %q)", err, fault.HintOf(err), c.want, c.hint)
			}
			if fault.ClassOf(err) != fault.Usage {
				t.Errorf("class %v", fault.ClassOf(err))
			}
		})
	}
}

func TestQuoteReadsBack(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `a"b\c`, "tab\tnl\n", "\x00\x1b\u007f", "naïve 名", "\u202e\u2028\ufeff", "\U0001f600\U000e0001", "'''\"\"\""} {
		var got struct {
			S string            `toml:"s"`
			M map[string]string `toml:"m"`
		}
		text := "format = 1\ns = " + tomlfile.Quote(s) + "\n[m]\n" + tomlfile.QuoteKey(s) + " = 'x'\n"
		if _, err := tomlfile.Decode("q", []byte(text), &got); err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if got.S != s || got.M[s] != "x" {
			t.Errorf("%q came back as %q, %q", s, got.S, got.M)
		}
	}
	if got := tomlfile.QuoteList([]string{"a", `"`}); got != `["a", "\""]` {
		t.Errorf("list %s", got)
	}
}
