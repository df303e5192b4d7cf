package tomlfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Unmarshaler is implemented by types that decode themselves, usually because the value may have one of several types.
type Unmarshaler interface {
	UnmarshalTOML(v Value) error
}

// Value is one value of a document, as an Unmarshaler is handed it.
type Value struct {
	doc *Document
	n   *node
}

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.n.kind }

// Decode decodes the value into what into points to, as the package comment says.
func (v Value) Decode(into any) error { return v.doc.decode(v.n, reflect.ValueOf(into).Elem()) }

// Errorf returns a usage error at the value's position.
func (v Value) Errorf(format string, args ...any) *fault.Error {
	return v.doc.errorAt(v.n.at, format, args...)
}

// Date is a calendar date without a time zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// String returns the date as YYYY-MM-DD.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// IsZero tells whether no date was given.
func (d Date) IsZero() bool { return d == Date{} }

// Start returns the first instant of the date, in UTC.
func (d Date) Start() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// End returns the first instant after the date, in UTC.
func (d Date) End() time.Time { return time.Date(d.Year, d.Month, d.Day+1, 0, 0, 0, 0, time.UTC) }

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date of the form YYYY-MM-DD", s)
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

var (
	typeDate        = reflect.TypeFor[Date]()
	typeTime        = reflect.TypeFor[time.Time]()
	typeUnmarshaler = reflect.TypeFor[Unmarshaler]()
)

func (d *Document) decode(n *node, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.decode(n, v.Elem())
	}
	if v.CanAddr() && v.Addr().Type().Implements(typeUnmarshaler) {
		return v.Addr().Interface().(Unmarshaler).UnmarshalTOML(Value{d, n})
	}
	switch v.Type() {
	case typeDate:
		if n.kind != LocalDate {
			return d.wrongType(n, LocalDate)
		}
		date, err := ParseDate(n.text)
		if err != nil {
			return d.errorAt(n.at, "%v", err)
		}
		v.Set(reflect.ValueOf(date))
		return nil
	case typeTime:
		if n.kind != DateTime {
			return d.wrongType(n, DateTime)
		}
		t, err := time.Parse(time.RFC3339Nano, n.text)
		if err != nil {
			return d.errorAt(n.at, "%q is not a date-time", n.text)
		}
		v.Set(reflect.ValueOf(t))
		return nil
	}
	return d.decodeKind(n, v)
}

func (d *Document) decodeKind(n *node, v reflect.Value) error {
	var want Kind
	switch v.Kind() {
	case reflect.String:
		want = String
	case reflect.Bool:
		want = Bool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		want = Integer
	case reflect.Slice:
		want = Array
	case reflect.Struct, reflect.Map:
		want = Table
	default:
		panic(fmt.Sprintf("tomlfile: cannot decode into %v", v.Type()))
	}
	if n.kind != want {
		return d.wrongType(n, want)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.text)
	case reflect.Bool:
		v.SetBool(n.flag)
	case reflect.Slice:
		return d.decodeArray(n, v)
	case reflect.Struct:
		return d.decodeTable(n, v)
	case reflect.Map:
		return d.decodeMap(n, v)
	default:
		return d.decodeInteger(n, v)
	}
	return nil
}

func (d *Document) wrongType(n *node, want Kind) error {
	return d.errorAt(n.at, "want %v, got %v", want, n.kind)
}

func (d *Document) decodeInteger(n *node, v reflect.Value) error {
	if v.CanInt() {
		if v.OverflowInt(n.number) {
			return d.errorAt(n.at, "%d is out of range", n.number)
		}
		v.SetInt(n.number)
		return nil
	}
	if n.number < 0 || v.OverflowUint(uint64(n.number)) {
		return d.errorAt(n.at, "%d is out of range", n.number)
	}
	v.SetUint(uint64(n.number))
	return nil
}

func (d *Document) decodeArray(n *node, v reflect.Value) error {
	out := reflect.MakeSlice(v.Type(), len(n.list), len(n.list))
	for i, child := range n.list {
		if err := d.decode(child, out.Index(i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func (d *Document) decodeMap(n *node, v reflect.Value) error {
	out := reflect.MakeMapWithSize(v.Type(), len(n.order))
	for _, key := range n.order {
		value := reflect.New(v.Type().Elem()).Elem()
		if err := d.decode(n.table[key], value); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), value)
	}
	v.Set(out)
	return nil
}

// decodeTable fills a struct in the order of the document, so that the first error in the file is the one reported.
func (d *Document) decodeTable(n *node, v reflect.Value) error {
	fields := map[string][]int{}
	var required []string
	for _, f := range reflect.VisibleFields(v.Type()) { // those of embedded structs stand in the same table
		name, option, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields[name] = f.Index
		if option == "required" {
			required = append(required, name)
		}
	}
	for _, key := range n.order {
		child := n.table[key]
		at, ok := fields[key]
		if !ok {
			return d.unknownKey(child, key, fields)
		}
		if err := d.decode(child, v.FieldByIndex(at)); err != nil {
			return err
		}
	}
	for _, key := range required {
		if n.table[key] == nil {
			return d.errorAt(n.at, "missing key %s", key)
		}
	}
	return nil
}

func (d *Document) unknownKey(n *node, key string, fields map[string][]int) error {
	err := d.errorAt(n.at, "unknown key %s", fault.Quote(key))
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	best, distance := "", 3
	for _, name := range names {
		if strings.EqualFold(name, key) {
			return err.WithHint("keys are case-sensitive: write %s", name)
		}
		if n := editDistance(name, key, distance); n < distance && n < len(name) {
			best, distance = name, n
		}
	}
	if best != "" {
		return err.WithHint("did you mean %s?", best)
	}
	if len(names) > 0 {
		err = err.WithHint("known keys here: %s", strings.Join(names, ", "))
	}
	return err
}

// editDistance returns the Levenshtein distance of a and b, or limit when it is at least that.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
