package gitobj

import (
	"bytes"
	"strconv"
)

// TagObject is an annotated tag, read from its raw bytes.
type TagObject struct {
	ID            ID
	Target        ID
	TargetType    Type
	Name          string
	Tagger        Person // zero in very old tags
	Message       []byte // with the signature, if there is one
	Raw           []byte
	Signature     []byte // nil when there is none
	SignedPayload []byte // nil when there is none
}

// signatureStarts are the lines that git takes for the start of a tag's signature (gpg-interface.c).
var signatureStarts = [][]byte{
	[]byte("-----BEGIN PGP SIGNATURE-----"),
	[]byte("-----BEGIN PGP MESSAGE-----"),
	[]byte("-----BEGIN SIGNED MESSAGE-----"),
	[]byte("-----BEGIN SSH SIGNATURE-----"),
}

// ParseTag reads an annotated tag strictly: object, type, tag and tagger once and in git's order, at most one
// signature, which ends the message. Anything else is "ambiguous tag".
func ParseTag(id ID, raw []byte) (*TagObject, error) {
	refuse := refuser("tag", id)
	if len(raw) > maxTagSize {
		return nil, refuse("exceeds limit")
	}
	head := raw
	if !bytes.Contains(raw, []byte("\n\n")) {
		// a tag without a message ends with its last header
		head = append(bytes.Clone(raw), '\n')
	}
	list, message, err := fields(head, refuse)
	if err != nil {
		return nil, err
	}
	t := &TagObject{ID: id, Message: message, Raw: raw}
	if len(list) < 3 || list[0].name != "object" || list[1].name != "type" || list[2].name != "tag" {
		return nil, refuse("does not begin with object, type and tag")
	}
	target, ok := ParseID(string(list[0].value))
	if !ok || target.n != id.n {
		return nil, refuse("bad object")
	}
	t.Target, t.TargetType, t.Name = target, typeOf(list[1].value), string(list[2].value)
	if t.TargetType == 0 || t.Name == "" || bytes.IndexByte(list[2].value, '\n') >= 0 {
		return nil, refuse("bad type or name")
	}
	if err := t.otherHeaders(list[3:], refuse); err != nil {
		return nil, err
	}
	return t, t.findSignature(refuse)
}

func (t *TagObject) otherHeaders(list []field, refuse func(string) error) error {
	seen := make(map[string]bool)
	for i, f := range list {
		switch f.name {
		case "object", "type", "tag":
			return refuse("duplicate " + f.name)
		case "tagger":
			var ok bool
			if t.Tagger, ok = parsePerson(f.value); !ok || i > 0 {
				return refuse("bad tagger")
			}
		case "gpgsig", "gpgsig-sha256":
			// the signature over the same tag in the other object format
			if f.name == signatureHeader(t.ID.Format()) || seen[f.name] {
				return refuse("signature in a header")
			}
			seen[f.name] = true
		default:
			if isSignature(f.name) {
				return refuse("unknown signature header " + strconv.Quote(f.name))
			}
		}
	}
	return nil
}

// findSignature splits the raw bytes at the line that begins the signature. git takes the last such line; a tag with
// several is refused, since the earlier ones would look like signatures to a reader.
func (t *TagObject) findSignature(refuse func(string) error) error {
	start := -1
	for at := len(t.Raw) - len(t.Message); at < len(t.Raw); {
		for _, s := range signatureStarts {
			if bytes.HasPrefix(t.Raw[at:], s) {
				if start >= 0 {
					return refuse("two signatures")
				}
				start = at
			}
		}
		eol := bytes.IndexByte(t.Raw[at:], '\n')
		if eol < 0 {
			break
		}
		at += eol + 1
	}
	if start < 0 {
		return nil
	}
	t.Signature = t.Raw[start:]
	t.SignedPayload = withoutSignatures(t.Raw[:start])
	return nil
}

// Peel reads only what a tag points to. It takes tags that ParseTag refuses.
func Peel(id ID, raw []byte) (ID, Type, error) {
	refuse := refuser("tag", id)
	object, rest, _ := bytes.Cut(raw, []byte{'\n'})
	kind, _, _ := bytes.Cut(rest, []byte{'\n'})
	object, isObject := bytes.CutPrefix(object, []byte("object "))
	kind, isType := bytes.CutPrefix(kind, []byte("type "))
	target, ok := ParseID(string(object))
	if !isObject || !isType || !ok || target.n != id.n || typeOf(kind) == 0 {
		return ID{}, 0, refuse("does not begin with object, type and tag")
	}
	return target, typeOf(kind), nil
}
