package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// Messages are structs of this package. A message is its fields in order and nothing else: numbers as varints, texts and
// lists with their length before them, a pointer as a byte that says whether something follows. Both ends are the same
// build (Version), so that nothing has to name a field; a sandbox's start is too short for a format that does.

// errMessage is the answer to every message that no end of this build can have written.
var errMessage = errors.New("malformed message")

// Marshal encodes a message.
func Marshal(message any) ([]byte, error) {
	v := reflect.ValueOf(message)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return appendValue(nil, v)
}

func appendValue(b []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case reflect.Int, reflect.Int64:
		return binary.AppendVarint(b, v.Int()), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint()), nil
	case reflect.String:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...), nil
	case reflect.Slice:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return append(b, v.Bytes()...), nil
		}
		return appendEach(b, v.Len(), v.Index)
	case reflect.Struct:
		return appendEach(b, v.NumField(), v.Field)
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0), nil
		}
		return appendValue(append(b, 1), v.Elem())
	}
	return nil, fmt.Errorf("a message cannot hold a %s", v.Type())
}

func appendEach(b []byte, n int, at func(int) reflect.Value) ([]byte, error) {
	var err error
	for i := 0; i < n && err == nil; i++ {
		b, err = appendValue(b, at(i))
	}
	return b, err
}

// Unmarshal decodes a message into the struct that message points to. It makes nothing that is larger than the message
// can fill, and refuses what is left over.
func Unmarshal(data []byte, message any) error {
	d := decoder{data}
	if err := d.value(reflect.ValueOf(message).Elem()); err != nil {
		return err
	}
	if len(d.rest) > 0 {
		return errMessage
	}
	return nil
}

type decoder struct{ rest []byte }

func (d *decoder) value(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Bool:
		n, err := d.number()
		if err != nil || n > 1 {
			return errMessage
		}
		v.SetBool(n == 1)
	case reflect.Int, reflect.Int64:
		n, size := binary.Varint(d.rest)
		if size <= 0 || v.OverflowInt(n) {
			return errMessage
		}
		d.rest = d.rest[size:]
		v.SetInt(n)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := d.number()
		if err != nil || v.OverflowUint(n) {
			return errMessage
		}
		v.SetUint(n)
	case reflect.String:
		text, err := d.bytes()
		if err != nil {
			return err
		}
		v.SetString(string(text))
	case reflect.Slice:
		return d.slice(v)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := d.value(v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Pointer:
		n, err := d.number()
		if err != nil || n > 1 {
			return errMessage
		}
		if n == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			return d.value(v.Elem())
		}
	default:
		return fmt.Errorf("a message cannot hold a %s", v.Type())
	}
	return nil
}

func (d *decoder) number() (uint64, error) {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		return 0, errMessage
	}
	d.rest = d.rest[size:]
	return n, nil
}

func (d *decoder) bytes() ([]byte, error) {
	n, err := d.number()
	if err != nil || n > uint64(len(d.rest)) {
		return nil, errMessage
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out, nil
}

// slice decodes a list. Every element takes at least a byte, so that a length says nothing that the message's own does
// not bear out; elements are still added one by one, since in memory they are larger.
func (d *decoder) slice(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		text, err := d.bytes()
		if err == nil && len(text) > 0 {
			v.SetBytes(text)
		}
		return err
	}
	n, err := d.number()
	if err != nil || n > uint64(len(d.rest)) || n > math.MaxInt32 {
		return errMessage
	}
	for i := range int(n) {
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		if err := d.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}
