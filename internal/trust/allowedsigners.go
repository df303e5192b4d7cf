package trust

import (
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// ParseAllowedSigners reads an OpenSSH allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS) into principals.
//
// It is stricter than OpenSSH: an option that is not known is an error, never skipped, and so is one given twice. A
// time without the Z of UTC means another instant on every machine; it is taken at the reading that allows least.
//
// A principal is called by the principals field of its first line as it is written. Lines whose fields have a name in
// common are one principal: they describe one party, which must not count twice. So a line such as "*@example.org
// cert-authority …" takes in every line of that domain, and is one principal.
func ParseAllowedSigners(name string, data []byte) ([]Principal, error) {
	var entries []signerLine
	err := lines(name, data, func(line string) error {
		e, err := parseSignerLine(line)
		if err == nil && len(entries) >= MaxPrincipals {
			err = fault.Usagef("principal", "exceeds %d lines", MaxPrincipals)
		}
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fault.Usagef(fault.Quote(name), "allows no signer")
	}
	return mergeSigners(entries), nil
}

type signerLine struct {
	field    string
	patterns patternList
	key      SSHKey
}

// mergeSigners puts lines together that could speak of the same name.
func mergeSigners(entries []signerLine) []Principal {
	under := make([]int, len(entries)) // an earlier line of the same principal, or the line itself
	for i := range under {
		under[i] = i
	}
	first := func(i int) int {
		for under[i] != i {
			under[i] = under[under[i]]
			i = under[i]
		}
		return i
	}
	join := func(i, j int) {
		i, j = first(i), first(j)
		under[max(i, j)] = min(i, j)
	}
	exact := map[string]int{}
	for i, e := range entries {
		for _, p := range e.patterns {
			if p[0] == '!' || wild(p, true) {
				continue
			}
			if j, ok := exact[p]; ok {
				join(i, j)
			}
			exact[p] = i
		}
	}
	for i, e := range entries {
		if !slices.ContainsFunc(e.patterns, func(p string) bool { return wild(p, true) }) {
			continue
		}
		for j := range entries {
			if first(i) != first(j) && e.patterns.overlaps(entries[j].patterns) {
				join(i, j)
			}
		}
	}
	var out []Principal
	at := map[int]int{}
	for i, e := range entries {
		f := first(i)
		if _, ok := at[f]; !ok {
			at[f] = len(out)
			out = append(out, Principal{Name: entries[f].field})
		}
		p := &out[at[f]]
		p.SSH = append(p.SSH, e.key)
	}
	return out
}

func parseSignerLine(line string) (signerLine, error) {
	var e signerLine
	field, rest, err := cutSignersField(line)
	if err != nil {
		return e, err
	}
	if len(field) > MaxName || !fault.Plain(field) {
		return e, fault.Usagef("principals", "longer than %d bytes or unprintable", MaxName)
	}
	var ok bool
	if e.patterns, ok = parsePatternList(field); !ok {
		return e, fault.Usagef("principals", "%q fits nobody", field)
	}
	e.field = field
	if startsWithKeyType(rest) {
		e.key.Line = rest
		_, err := parseSSHKey(rest)
		return e, err
	}
	options, key := cutOptions(rest)
	if e.key, err = parseSignerOptions(options); err != nil {
		return e, err
	}
	if e.key.Authority {
		e.key.Principals = field
	}
	if _, err := parseSSHKey(key); err != nil {
		return e, err
	}
	e.key.Line = key
	return e, nil
}

// startsWithKeyType tells a key from options: no option is called like a key type.
func startsWithKeyType(text string) bool {
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-", "sk-", "rsa-sha2-"} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// cutSignersField takes the principals field, which may stand in double quotes.
func cutSignersField(line string) (field, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		if field, rest, ok = strings.Cut(quoted, `"`); !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
			return "", "", fault.Usagef("principals", "unbalanced quotes")
		}
		return field, strings.TrimLeft(rest, " \t"), nil
	}
	i := strings.IndexAny(line, " \t")
	if i < 0 || strings.Contains(line[:i], `"`) {
		return "", "", fault.Usagef("line", "want principals, options, key type and key")
	}
	return line[:i], strings.TrimLeft(line[i:], " \t"), nil
}

// cutOptions takes options up to the first blank outside quotes.
func cutOptions(text string) (options, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == '"':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return text[:i], strings.TrimLeft(text[i:], " \t")
		}
	}
	return text, ""
}

func parseSignerOptions(text string) (SSHKey, error) {
	var k SSHKey
	seen := map[string]bool{}
	for first := true; first || text != ""; first = false {
		name, value, hasValue, rest, err := cutOption(text)
		if err != nil {
			return k, err
		}
		text = rest
		if seen[name] {
			return k, fault.Usagef("option "+fault.Quote(name), "given twice")
		}
		seen[name] = true
		if hasValue == (name == "cert-authority") {
			return k, fault.Usagef("option "+fault.Quote(name), "unknown option or wrong form")
		}
		switch name {
		case "cert-authority":
			k.Authority = true
		case "namespaces":
			if _, ok := parsePatternList(value); !ok {
				return k, fault.Usagef("namespaces", "%q fits nothing", value)
			}
			k.Namespaces = strings.Split(value, ",")
		case "valid-after":
			k.Valid.From, err = signerTime(value, latestZone)
		case "valid-before":
			k.Valid.To, err = signerTime(value, earliestZone)
		default:
			return k, fault.Usagef("option "+fault.Quote(name), "unknown option")
		}
		if err != nil {
			return k, err
		}
	}
	if k.Valid.empty() {
		return k, fault.Usagef("valid-before", "is not after valid-after")
	}
	return k, nil
}

// cutOption takes `name`, or `name="value"`, and the comma that must follow unless it is the last.
func cutOption(text string) (name, value string, hasValue bool, rest string, err error) {
	end := strings.IndexAny(text, `=,`)
	if end < 0 {
		return text, "", false, "", nil
	}
	name, rest = text[:end], text[end+1:]
	if text[end] == ',' {
		if rest == "" {
			err = fault.Usagef("options", "end in a comma")
		}
		return name, "", false, rest, err
	}
	quoted, ok := strings.CutPrefix(rest, `"`)
	value, rest, closed := strings.Cut(quoted, `"`)
	if !ok || !closed || strings.Contains(value, `\`) {
		return "", "", false, "", fault.Usagef("option "+fault.Quote(name), "value must stand in quotes")
	}
	if rest != "" {
		if rest, ok = strings.CutPrefix(rest, ","); !ok || rest == "" {
			return "", "", false, "", fault.Usagef("option "+fault.Quote(name), "is followed by neither a comma nor a blank")
		}
	}
	return name, value, true, rest, nil
}

// The zones of the earth reach from UTC-12 to UTC+14. A local time of unknown zone is latest in the west.
const (
	latestZone   = 12 * time.Hour
	earliestZone = -14 * time.Hour
)

// signerTime reads YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z for UTC.
func signerTime(text string, unknownZone time.Duration) (time.Time, error) {
	digits, utc := strings.CutSuffix(text, "Z")
	layout := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}[len(digits)]
	at, err := time.ParseInLocation(layout, digits, time.UTC)
	if layout == "" || err != nil {
		return time.Time{}, fault.Usagef("time", "want YYYYMMDD[HHMM[SS]][Z], got %q", text)
	}
	if !utc {
		at = at.Add(unknownZone)
	}
	return at, nil
}
