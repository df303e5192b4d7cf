package origin

import "strings"

// A Rule is one line for make: what was compiled, and what the compiler read for it, the compiled file first.
type Rule struct {
	Target string
	Reads  []string
}

// ParseDepfile reads the rules that compilers write with -MD and -MMD. Spaces in names are written as "\ ", dollar signs
// doubled, and lines go on after a backslash. Rules without anything to read are left out: -MP makes one of every header.
func ParseDepfile(data []byte) []Rule {
	if len(data) > maxScript {
		return nil
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\\\r\n", " "), "\\\n", " ")
	var rules []Rule
	names := 0
	for line := range strings.Lines(text) {
		words := makeWords(line)
		if len(words) < 2 || !strings.HasSuffix(words[0], ":") || len(rules) >= maxRules {
			continue
		}
		if names += len(words); names > maxNames {
			break
		}
		rules = append(rules, Rule{strings.TrimSuffix(words[0], ":"), words[1:]})
	}
	return rules
}

// makeWords splits a line as make does.
func makeWords(line string) []string {
	var words []string
	var b strings.Builder
	end := func() {
		if b.Len() > 0 && b.Len() <= maxNameBytes {
			words = append(words, b.String())
		}
		b.Reset()
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '#' || line[i+1] == ':'):
			i++
			b.WriteByte(line[i])
		case c == '$' && i+1 < len(line) && line[i+1] == '$':
			i++
			b.WriteByte('$')
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			end()
		default:
			b.WriteByte(c)
		}
	}
	end()
	return words
}
