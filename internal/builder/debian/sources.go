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
	SignedBy   []string // files; empty: every key that apt trusts
	Embedded   []byte   // keys that stand in the source itself
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
		options := ""
		if open := strings.IndexByte(line, '['); open >= 0 {
			end := strings.IndexByte(line, ']')
			if end < open {
				continue
			}
			options, line = line[open+1:end], line[:open]+" "+line[end+1:]
		}
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != "deb" {
			continue
		}
		src := Source{URI: f[1], Suite: f[2], Components: f[3:]}
		for o := range strings.FieldsSeq(options) {
			if v, ok := strings.CutPrefix(o, "signed-by="); ok {
				src.SignedBy = append(src.SignedBy, strings.Split(v, ",")...)
			}
		}
		s.add(src)
	}
	return nil
}

// readParagraphs reads the deb822 form.
func (s *System) readParagraphs(data []byte) error {
	return Paragraphs(bytes.NewReader(data), maxSources, func(p *Paragraph) (bool, error) {
		if !slices.Contains(strings.Fields(p.Get("Types")), "deb") || p.Get("Enabled") == "no" {
			return true, nil
		}
		var files []string
		var embedded []byte
		if by := p.Get("Signed-By"); strings.Contains(by, "-----BEGIN") {
			embedded = []byte(strings.ReplaceAll("\n"+strings.TrimLeft(by, "\n"), "\n.\n", "\n\n")) // an empty line is written as a dot
		} else {
			files = strings.FieldsFunc(by, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
		}
		for uri := range strings.FieldsSeq(p.Get("URIs")) {
			for suite := range strings.FieldsSeq(p.Get("Suites")) {
				s.add(Source{URI: uri, Suite: suite, Components: strings.Fields(p.Get("Components")), SignedBy: files, Embedded: embedded})
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

// Keyring returns the keys of Debian's archive that this system holds, and those of the sources that serve the suite. Keys of
// other archives do not count: they may sign for themselves only.
func (s *System) Keyring(suite, component string) (*Keyring, error) {
	k := &Keyring{}
	files := map[string]bool{}
	for _, dir := range []string{"usr/share/keyrings", "etc/apt/trusted.gpg.d", "etc/apt/keyrings"} {
		for _, pattern := range []string{"debian-archive-*.gpg", "debian-archive-*.asc", "debian-archive-*.pgp"} {
			found, _ := filepath.Glob(filepath.Join(s.root, dir, pattern))
			for _, f := range found {
				if !strings.Contains(filepath.Base(f), "-removed-") {
					files[f] = true
				}
			}
		}
	}
	for _, src := range s.Sources {
		if src.Suite != suite || !slices.Contains(src.Components, component) {
			continue
		}
		for _, f := range src.SignedBy {
			if filepath.IsAbs(f) {
				files[filepath.Join(s.root, f)] = true
			}
		}
		if len(src.Embedded) > 0 {
			if err := k.Add("apt source", src.Embedded); err != nil {
				return nil, err
			}
		}
	}
	var order []string
	for f := range files {
		order = append(order, f)
	}
	slices.Sort(order)
	for _, f := range order {
		if err := k.addFile(f); err != nil {
			return nil, err
		}
	}
	return k, nil
}
