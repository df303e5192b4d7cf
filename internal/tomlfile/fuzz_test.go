package tomlfile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// tree holds any document, in the form in which the other decoder holds it.
type tree struct{ value any }

func (t *tree) UnmarshalTOML(v tomlfile.Value) error {
	switch v.Kind() {
	case tomlfile.String:
		return decodeAs[string](t, v)
	case tomlfile.Integer:
		return decodeAs[int64](t, v)
	case tomlfile.Bool:
		return decodeAs[bool](t, v)
	case tomlfile.LocalDate:
		return decodeAs[tomlfile.Date](t, v)
	case tomlfile.DateTime:
		return decodeAs[time.Time](t, v)
	case tomlfile.Array:
		return decodeAs[[]tree](t, v)
	}
	return decodeAs[map[string]tree](t, v)
}

func decodeAs[T any](t *tree, v tomlfile.Value) error {
	var x T
	err := v.Decode(&x)
	t.value = x
	return err
}

// text renders both decoders' values in one form.
func text(v any) string {
	switch v := v.(type) {
	case tree:
		return text(v.value)
	case []tree:
		s := "["
		for _, e := range v {
			s += text(e) + ","
		}
		return s + "]"
	case []any:
		s := "["
		for _, e := range v {
			s += text(e) + ","
		}
		return s + "]"
	case map[string]tree:
		m := map[string]string{}
		for k, e := range v {
			m[k] = text(e)
		}
		return fmt.Sprintf("%q", m)
	case map[string]any:
		m := map[string]string{}
		for k, e := range v {
			m[k] = text(e)
		}
		return fmt.Sprintf("%q", m)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}

// FuzzDecode compares with an independent decoder: what this package accepts, that one accepts too, with equal values.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"x = 1", "[x]\na.b.c = [1, 'two', {three = 3}]\n[[x.y]]\n[[x.y]]", "x = '''\na'''''\ny = \"\"\"\\\n \\u00e9\"\"\"\"",
		"x = {a.b = 1, a.c = 2}\n", "[x.y]\n[x]\n", "x = 0x_1", "x = 1979-05-27 07:32:00Z", "x = 2027-06-30", "[[x]]\n[x.y]\n[[x]]\n[x.y]",
		"\"a b\".'c' = true", "x = [ # c\n1,\n]", "x = -0", "x = +1_0", "[x]\ny.z = 1\n[x.y.w]", "x.y = 1\n[x]", "x = {}\n[x.y]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append([]byte("format = 1\n"), data...)
		var into struct {
			X tree `toml:"x"`
			Y tree `toml:"y"`
		}
		if _, err := tomlfile.Decode("f", data, &into); err != nil {
			if fault.ClassOf(err) != fault.Usage {
				t.Fatalf("%v: class %v", err, fault.ClassOf(err))
			}
			return
		}
		var other map[string]any
		if err := toml.Unmarshal(data, &other); err != nil {
			t.Fatalf("accepted %q, the other decoder says %v", data, err)
		}
		if got, want := text(into.X), text(other["x"]); got != want {
			t.Fatalf("%q: got %s, want %s", data, got, want)
		}
		if got, want := text(into.Y), text(other["y"]); got != want {
			t.Fatalf("%q: got %s, want %s", data, got, want)
		}
	})
}
