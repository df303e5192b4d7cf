package debian

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Source is one archive of the system's apt configuration.
type Source struct {
	URI        string
	Suite      string
	Components []string
}

// System is what this machine's apt is configured with (sources.list(5)). Nothing of it is run.
type System struct {
	Sources []Source
	root    string // "/", but in tests
}

// LoadSystem reads the apt sources below root, which is "/".
func LoadSystem(root string) (*System, error) {
	s := &System{root: root}
	dir := filepath.Join(root, "etc/apt")
	files := []string{filepath.Join(dir, "sources.list")}
	parts, err := os.ReadDir(filepath.Join(dir, "sources.list.d"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Inconclusivef("apt sources", "%w", err)
	}
	for _, p := range parts {
		files = append(files, filepath.Join(dir, "sources.list.d", p.Name()))
	}
	for _, path := range files {
		read := map[string]func(*System, []byte) error{".list": (*System).readLines, ".sources": (*System).readParagraphs}[filepath.Ext(path)]
		if read == nil {
			continue
		}
		data, err := readSmall(path, maxSources)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = read(s, data)
		}
		if err != nil {
			return nil, fault.Inconclusivef(fault.Quote(path), "cannot be read: %w", err)
		}
	}
	return s, nil
}

func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errors.New("exceeds limit")
	}
	return data, err
}

// readLines reads the one-line form: deb [option=value …] uri suite component ….
func (s *System) readLines(data []byte) error {
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if open := strings.IndexByte(line, '['); open >= 0 { // options
			end := strings.IndexByte(line, ']')
			if end < open {
				continue
			}
			line = line[:open] + " " + line[end+1:]
		}
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != "deb" {
			continue
		}
		s.add(Source{URI: f[1], Suite: f[2], Components: f[3:]})
	}
	return nil
}

// readParagraphs reads the deb822 form.
func (s *System) readParagraphs(data []byte) error {
	return Paragraphs(bytes.NewReader(data), maxSources, func(p *Paragraph) (bool, error) {
		if !slices.Contains(strings.Fields(p.Get("Types")), "deb") || p.Get("Enabled") == "no" {
			return true, nil
		}
		for uri := range strings.FieldsSeq(p.Get("URIs")) {
			for suite := range strings.FieldsSeq(p.Get("Suites")) {
				s.add(Source{URI: uri, Suite: suite, Components: strings.Fields(p.Get("Components"))})
			}
		}
		return true, nil
	})
}

func (s *System) add(src Source) {
	u, err := url.Parse(src.URI)
	if err != nil || !slices.Contains([]string{"http", "https", "file"}, u.Scheme) || strings.HasSuffix(src.Suite, "/") || strings.Contains(src.URI, "$(") {
		return // cdrom, mirror lists and flat repositories serve no suite that this program could ask for
	}
	src.URI = strings.TrimSuffix(src.URI, "/")
	s.Sources = append(s.Sources, src)
}

// PlainHTTP lists the hosts that the system itself reaches without TLS: there the signature is what counts.
func (s *System) PlainHTTP() []string {
	var hosts []string
	for _, src := range s.Sources {
		if u, err := url.Parse(src.URI); err == nil && u.Scheme == "http" {
			hosts = append(hosts, u.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// Mirrors lists where a suite's component can be fetched from, in the order of the configuration.
func (s *System) Mirrors(suite, component string) []string {
	var out []string
	for _, src := range s.Sources {
		if src.Suite == suite && slices.Contains(src.Components, component) && !slices.Contains(out, src.URI) {
			out = append(out, src.URI)
		}
	}
	return out
}

// Keyring returns the keys of Debian's archive that this system holds. Keys of other archives do not count, also not those that
// Signed-By of a configured source names: whoever sells software for this machine has often a source in its configuration, with
// a suite and a component of the same names, and would vouch for a compiler of its own (F3). A policy can name more keys.
func (s *System) Keyring() (*Keyring, error) {
	k := &Keyring{}
	var files []string
	for _, dir := range []string{"usr/share/keyrings", "etc/apt/trusted.gpg.d", "etc/apt/keyrings"} {
		for _, pattern := range []string{"debian-archive-*.gpg", "debian-archive-*.asc", "debian-archive-*.pgp"} {
			found, _ := filepath.Glob(filepath.Join(s.root, dir, pattern))
			files = append(files, found...)
		}
	}
	for _, f := range files {
		if strings.Contains(filepath.Base(f), "-removed-") {
			continue
		}
		if err := k.addFile(f); err != nil {
			return nil, err
		}
	}
	return k, nil
}
