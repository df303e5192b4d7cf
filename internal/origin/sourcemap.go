package origin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"path"
	"strings"
)

// sourceMap is what ECMA-426 says of a source map, as far as it names sources.
type sourceMap struct {
	Version  int       `json:"version"`
	Root     string    `json:"sourceRoot"`
	Sources  []*string `json:"sources"`
	Sections []struct {
		Map *sourceMap `json:"map"`
	} `json:"sections"`
}

// mapSources returns the sources that a source map names, each as it is written, after its root.
func mapSources(data []byte) ([]string, bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte(")]}'")) { // a guard that servers put before JSON; the rest of that line is skipped
		_, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
	}
	var m sourceMap
	if len(data) > maxScript || json.Unmarshal(data, &m) != nil || m.Version != 3 || len(m.Sections) > maxSections {
		return nil, false
	}
	list := m.names(nil)
	for _, s := range m.Sections {
		if s.Map != nil && len(s.Map.Sections) == 0 { // sections do not nest
			list = s.Map.names(list)
		}
	}
	return list, len(list) > 0
}

func (m *sourceMap) names(list []string) []string {
	for _, s := range m.Sources {
		if s == nil || *s == "" || len(*s)+len(m.Root) > maxNameBytes || len(list) >= maxNames {
			continue
		}
		name := *s
		if m.Root != "" && !path.IsAbs(name) && !strings.Contains(name, "://") {
			name = strings.TrimSuffix(m.Root, "/") + "/" + name
		}
		list = append(list, name)
	}
	return list
}

// mapURL returns what the last sourceMappingURL comment of a script or style sheet refers to.
func mapURL(data []byte) (string, bool) {
	const mark = "# sourceMappingURL="
	i := bytes.LastIndex(data, []byte(mark))
	if i < 2 || data[i-2] != '/' || data[i-1] != '/' && data[i-1] != '*' {
		return "", false
	}
	rest := data[i+len(mark):]
	if j := bytes.IndexAny(rest, " \t\r\n*'\""); j >= 0 {
		rest = rest[:j]
	}
	return string(rest), len(rest) > 0
}

// inlineMap decodes a data URL that holds a source map.
func inlineMap(ref string) ([]byte, bool) {
	rest, ok := strings.CutPrefix(ref, "data:")
	if !ok {
		return nil, false
	}
	kind, body, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, false
	}
	if strings.HasSuffix(kind, ";base64") {
		data, err := base64.StdEncoding.DecodeString(body)
		return data, err == nil
	}
	text, err := url.PathUnescape(body)
	return []byte(text), err == nil
}

// localName takes apart what a source map calls a source: bundlers put a scheme of their own before it. false is what
// no file is called: a source of a bundler's run-time, or one on a network.
func localName(name string) (string, bool) {
	if i := strings.Index(name, "://"); i >= 0 {
		scheme := name[:i]
		if scheme != "webpack" && scheme != "file" && scheme != "rollup" && scheme != "ng" {
			return "", false
		}
		rest := name[i+3:]
		if scheme == "webpack" { // webpack://PACKAGE/./src/x.ts
			if _, after, ok := strings.Cut(rest, "/"); ok {
				rest = strings.TrimPrefix(after, "./")
			}
		}
		name = rest
	}
	if text, err := url.PathUnescape(name); err == nil {
		name = text
	}
	name, _, _ = strings.Cut(name, "?")
	return name, name != "" && !strings.ContainsRune(name, 0)
}
