package source

import (
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// objectFormat reads from the configuration what gitrepository-layout(5) says decides how to read a repository: its
// format version and its extensions. Nothing else of it is looked at, includes are not followed.
func (r *repository) objectFormat() (gitobj.Format, error) {
	data, err := r.readFile("config", maxConfigSize)
	if err != nil {
		return 0, err
	}
	settings, ok := parseConfig(string(data))
	if !ok {
		return 0, r.inconclusive("config: malformed")
	}
	version := 0
	format := gitobj.SHA1
	for _, s := range settings {
		switch {
		case s.key == "core.repositoryformatversion":
			if version, err = strconv.Atoi(s.value); err != nil || version < 0 || version > 1 {
				return 0, r.inconclusive("repository format version %s unsupported", fault.Quote(s.value))
			}
		case s.key == "extensions.objectformat" && s.value == "sha256":
			format = gitobj.SHA256
		case s.key == "extensions.objectformat" && s.value != "sha1":
			return 0, r.inconclusive("object format unsupported: %s", fault.Quote(s.value))
		case s.key == "extensions.refstorage" && s.value != "files":
			return 0, r.inconclusive("ref storage unsupported: %s", fault.Quote(s.value)).
				WithHint("convert it: git refs migrate --ref-format=files")
		}
	}
	return format, r.checkExtensions(settings, version)
}

// checkExtensions refuses extensions that change how a repository is read and that we do not know.
func (r *repository) checkExtensions(settings []setting, version int) error {
	for _, s := range settings {
		name, ok := strings.CutPrefix(s.key, "extensions.")
		if !ok {
			continue
		}
		switch name {
		case "noop", "preciousobjects", "partialclone", "worktreeconfig":
		case "objectformat", "refstorage", "noop-v1", "relativeworktrees", "compatobjectformat":
			if version == 0 {
				return r.inconclusive("config: extension %s in format version 0", fault.Quote(name))
			}
		default:
			// version 0 ignores what it does not know
			if version > 0 {
				return r.inconclusive("repository extension unsupported: %s", fault.Quote(name))
			}
		}
	}
	return nil
}

// setting is one line of a configuration: "section.name" in lower case, a subsection in between as it stands.
type setting struct{ key, value string }

// parseConfig reads git-config(5) text. It is used for a repository's own configuration and for .gitmodules.
func parseConfig(text string) ([]setting, bool) {
	var list []setting
	section := ""
	text = strings.TrimPrefix(text, "\ufeff")
	for text != "" {
		text = strings.TrimLeft(text, " \t\r\n")
		switch {
		case text == "":
		case text[0] == '#' || text[0] == ';':
			_, text, _ = strings.Cut(text, "\n")
		case text[0] == '[':
			var ok bool
			if section, text, ok = parseSection(text[1:]); !ok {
				return nil, false
			}
		default:
			name, value, rest, ok := parseVariable(text)
			if !ok || section == "" {
				return nil, false
			}
			list = append(list, setting{section + "." + name, value})
			text = rest
		}
	}
	return list, true
}

// parseSection reads `name]`, `name "sub"]` or the old `name.sub]`.
func parseSection(text string) (section, rest string, ok bool) {
	n := 0
	for n < len(text) && (isAlnum(text[n]) || text[n] == '-' || text[n] == '.') {
		n++
	}
	section = strings.ToLower(text[:n])
	text = text[n:]
	if n == 0 || text == "" {
		return "", "", false
	}
	if text[0] == ']' {
		return section, text[1:], true
	}
	text = strings.TrimLeft(text, " \t")
	if text == "" || text[0] != '"' {
		return "", "", false
	}
	var sub strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			return "", "", false
		case c == '\\' && i+1 < len(text) && text[i+1] != '\n':
			i++
			sub.WriteByte(text[i])
		case c == '"':
			rest, ok = strings.CutPrefix(text[i+1:], "]")
			return section + "." + sub.String(), rest, ok
		default:
			sub.WriteByte(c)
		}
	}
	return "", "", false
}

// parseVariable reads `name = value` up to the end of its line; a name alone means true.
func parseVariable(text string) (name, value, rest string, ok bool) {
	n := 0
	for n < len(text) && (isAlnum(text[n]) || text[n] == '-') {
		n++
	}
	if n == 0 || !isLetter(text[0]) {
		return "", "", "", false
	}
	name = strings.ToLower(text[:n])
	text = strings.TrimLeft(text[n:], " \t")
	if text == "" || text[0] == '\n' || text[0] == '#' || text[0] == ';' || strings.HasPrefix(text, "\r\n") {
		_, rest, _ = strings.Cut(text, "\n")
		return name, "true", rest, true
	}
	if text[0] != '=' {
		return "", "", "", false
	}
	value, rest, ok = parseValue(strings.TrimLeft(text[1:], " \t"))
	return name, value, rest, ok
}

// parseValue reads a value: quotes, escapes, comments, continuation lines; blanks at its end do not count.
func parseValue(text string) (value, rest string, ok bool) {
	var b strings.Builder
	quoted := false
	keep := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\n' || (c == '\r' && i+1 < len(text) && text[i+1] == '\n'):
			_, rest, _ = strings.Cut(text[i:], "\n")
			return b.String()[:keep], rest, !quoted
		case !quoted && (c == '#' || c == ';'):
			_, rest, _ = strings.Cut(text[i:], "\n")
			return b.String()[:keep], rest, true
		case c == '"':
			quoted = !quoted
			keep = b.Len()
		case c == '\\':
			if i++; i == len(text) {
				return "", "", false
			}
			if text[i] == '\n' {
				continue
			}
			plain := strings.IndexByte(`\"ntb`, text[i])
			if plain < 0 {
				return "", "", false
			}
			b.WriteByte("\\\"\n\t\b"[plain])
			keep = b.Len()
		default:
			b.WriteByte(c)
			if quoted || (c != ' ' && c != '\t') {
				keep = b.Len()
			}
		}
	}
	return b.String()[:keep], "", !quoted
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isAlnum(c byte) bool  { return isLetter(c) || (c >= '0' && c <= '9') }
