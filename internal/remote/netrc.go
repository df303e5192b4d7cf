package remote

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

type login struct{ name, secret string }

// DefaultNetrc returns the netrc file that the user's own tools read: $NETRC, else ~/.netrc (_netrc on Windows).
// It returns "" when there is none.
func DefaultNetrc() string {
	path := os.Getenv("NETRC")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		name := ".netrc"
		if runtime.GOOS == "windows" {
			name = "_netrc"
		}
		path = filepath.Join(home, name)
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// readNetrc reads machine, login and password entries. A default entry is ignored: it would send a password to any host.
func readNetrc(path string) (map[string]login, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && st.Size() > maxNetrc {
		return nil, fault.Usagef(path, "exceeds %d bytes", maxNetrc)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Usagef(path, "%w", err)
	}
	creds := map[string]login{}
	var host string
	var cur login
	flush := func() {
		if _, seen := creds[host]; host != "" && cur.secret != "" && !seen {
			creds[host] = cur
		}
		host, cur = "", login{}
	}
	words := netrcWords(string(data))
	for i := 0; i < len(words); i++ {
		next := func() string {
			if i++; i < len(words) {
				return words[i]
			}
			return ""
		}
		switch words[i] {
		case "machine":
			flush()
			host = next()
		case "default":
			flush()
		case "login":
			cur.name = next()
		case "password":
			cur.secret = next()
		case "account":
			next()
		}
	}
	flush()
	return creds, nil
}

// netrcWords splits at white space and leaves macro definitions out, which run to the next empty line.
func netrcWords(text string) []string {
	var words []string
	macro := false
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			macro = false
			continue
		}
		if macro || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, w := range strings.Fields(line) {
			if w == "macdef" {
				macro = true
				break
			}
			words = append(words, w)
		}
	}
	return words
}
