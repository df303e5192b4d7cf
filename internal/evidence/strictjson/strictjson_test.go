package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

var roomy = strictjson.Limits{Bytes: 1 << 20, Depth: 32, Elements: 1 << 12, Values: 1 << 14}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   string
		want error
	}{
		"duplicate":            {`{"a":1,"a":1}`, strictjson.ErrDuplicate},
		"duplicate by escape":  {`{"a":1,"\u0061":1}`, strictjson.ErrDuplicate},
		"duplicate deep":       {`{"x":[{"a":1,"b":{},"a":1}]}`, strictjson.ErrDuplicate},
		"duplicate among many": {`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0,"b":0,"c":0,"d":0,"e":0,"2":1}`, strictjson.ErrDuplicate},
		"trailing value":       {`{} {}`, strictjson.ErrTrailing},
		"trailing byte":        {"{}\x00", strictjson.ErrTrailing},
		"deep":                 {strings.Repeat("[", 33) + strings.Repeat("]", 33), strictjson.ErrLimit},
		"long array":           {"[" + strings.Repeat("0,", 1<<12) + "0]", strictjson.ErrLimit},
		"large":                {`"` + strings.Repeat("x", 1<<20) + `"`, strictjson.ErrLimit},
		"empty":                {``, nil},
		"blank":                {"  ", nil},
		"comma":                {`[1,]`, nil},
		"comma in object":      {`{"a":1,}`, nil},
		"no colon":             {`{"a" 1}`, nil},
		"bare name":            {`{a:1}`, nil},
		"leading zero":         {`01`, strictjson.ErrTrailing},
		"plus":                 {`+1`, nil},
		"control character":    {"\"\x01\"", nil},
		"invalid UTF-8":        {"\"\xff\"", nil},
		"lone surrogate":       {`"\ud800"`, nil},
		"low surrogate first":  {`"\udc00\ud800"`, nil},
		"half escape":          {`"\u12"`, nil},
		"unended":              {`["a"`, nil},
		"word":                 {`nul`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := strictjson.Parse([]byte(tc.in), roomy)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	v, err := strictjson.Parse([]byte(` { "text" : "a\"\u00e9\ud83d\ude00\/" , "n":"-12", "m": 7, "b":true, "list":[ 1 , [2,{}], "]" ],"bytes":"AQI=","none":null } `), roomy)
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := v.At("text").Text(); s != "a\"é😀/" {
		t.Errorf("text %q", s)
	}
	if n, err := v.At("n").Int64(); n != -12 || err != nil {
		t.Errorf("n %d %v", n, err)
	}
	if n, err := v.At("m").Int64(); n != 7 || err != nil {
		t.Errorf("m %d %v", n, err)
	}
	if b, err := v.At("b").Bool(); !b || err != nil {
		t.Errorf("b %v %v", b, err)
	}
	list, err := v.At("list").Elements()
	if err != nil || len(list) != 3 || v.At("list").Count() != 3 || string(list[1].Raw()) != "[2,{}]" {
		t.Errorf("list %q %v", list, err)
	}
	if b, err := v.At("bytes").Base64(); string(b) != "\x01\x02" || err != nil {
		t.Errorf("bytes %q %v", b, err)
	}
	if !v.At("none").Absent() || v.At("none").Missing() || !v.At("nothing", "there").Missing() {
		t.Error("absence is misread")
	}
	if _, err := v.Open("Text"); err == nil {
		t.Error("another letter case of a known key is let through")
	}
	if _, err := v.Object("text"); err == nil {
		t.Error("unknown keys are let through")
	}
	for _, bad := range []string{`"AQI"`, `"AQJ="`, `"AQ\nI="`, `"A-_="`, `1`} {
		w, err := strictjson.Parse([]byte(bad), roomy)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := w.Base64(); err == nil {
			t.Errorf("%s is taken for base64 %x", bad, b)
		}
	}
}

// FuzzParse holds every accepted document against the standard library: the same value, and only one reading.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `[1,2.5e3,"a"]`, `{"a":{"b":[null,true,false]}}`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, `[[[]]]`, ` {"x":"\u0000"} `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := strictjson.Parse(data, roomy)
		if err != nil {
			return
		}
		var want any
		if err := decode(data, &want); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		if got := rebuild(t, v); !reflect.DeepEqual(got, want) {
			t.Fatalf("read %#v, want %#v", got, want)
		}
	})
}

func rebuild(t *testing.T, v strictjson.Value) any {
	switch v.Kind() {
	case "object":
		members, err := v.Members()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]any{}
		for _, m := range members {
			if _, twice := out[m.Name]; twice {
				t.Fatalf("%q twice", m.Name)
			}
			out[m.Name] = rebuild(t, m.Value)
		}
		return out
	case "array":
		elements, err := v.Elements()
		if err != nil || len(elements) != v.Count() {
			t.Fatalf("%d elements, counted %d: %v", len(elements), v.Count(), err)
		}
		out := []any{}
		for _, e := range elements {
			out = append(out, rebuild(t, e))
		}
		return out
	case "string":
		s, err := v.Text()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var out any
	if err := decode(v.Raw(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// decode keeps numbers as they are written.
func decode(data []byte, out *any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(out)
}
