package graft

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"strings"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/signature"
)

const manifestName = "META-INF/MANIFEST.MF"

// jarOnto puts manifest, signature files and signature blocks into our build.
func jarOnto(r *request) (*Grafted, error) {
	const name = allow.JarSignature
	shipped, rebuilt, err := bothZips(r)
	if err != nil || shipped == nil {
		return nil, err
	}
	signers, err := checkJar(name, shipped, rebuilt, r.opt)
	if err != nil || signers == nil {
		return nil, err
	}
	a, taken := addTo(shipped, rebuilt, jarAdded, Range{})
	if a == nil {
		return nil, refuse(name, "the members, or their order, are not those of the build")
	}
	return &Grafted{Content: a, Ranges: taken, Signers: signers}, nil
}

func jarAdded(name string) bool { return name == manifestName || isSignatureFile(name) }

func bothZips(r *request) (shipped, rebuilt *zipFile, err error) {
	if shipped, err = openZip(r.shipped); err != nil || shipped == nil {
		return nil, nil, err
	}
	if rebuilt, err = openZip(r.rebuilt); err != nil || rebuilt == nil {
		return nil, nil, err
	}
	return shipped, rebuilt, nil
}

// checkJar verifies every signature of a jar, from the block over the signature file and the manifest to each member. It
// returns nil where there is none.
func checkJar(name string, shipped, rebuilt *zipFile, opt signature.Options) ([]signature.Result, error) {
	for _, m := range rebuilt.Members {
		if isSignatureFile(m.Name) {
			return nil, refuse(name, "what was rebuilt is signed too")
		}
	}
	files := map[string][]byte{}
	var order []string
	for _, m := range shipped.Members {
		if !jarAdded(m.Name) {
			continue
		}
		data, err := shipped.content(m, maxManifest)
		if err != nil {
			return nil, err
		}
		files[m.Name] = data
		if isSignatureFile(m.Name) {
			order = append(order, m.Name)
		}
	}
	if len(order) == 0 {
		return nil, nil
	}
	for _, m := range shipped.Members {
		if jarAdded(m.Name) {
			if err := shipped.plain(m); err != nil {
				return nil, err
			}
		}
	}
	manifest, err := readManifest(name, files[manifestName])
	if err != nil {
		return nil, err
	}
	if err := manifest.covers(name, shipped, rebuilt); err != nil {
		return nil, err
	}
	var results []signature.Result
	for len(order) > 0 {
		sf, block, rest := signaturePair(order)
		if sf == "" || len(results) == maxSigners {
			return nil, refuse(name, "a signature file without its block, or a block without its file")
		}
		order = rest
		if err := manifest.checkSF(name, files[sf]); err != nil {
			return nil, err
		}
		_, result := signature.VerifyEmbedded(files[sf], files[block], signature.Embedded{Bare: true}, opt)
		if err := checked(name, result); err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

var signatureName = pattern.New(`^META-INF/[A-Z0-9_-]{1,16}\.(SF|RSA|EC|DSA)$`)

// signaturePair takes a signature file and its block from the list.
func signaturePair(list []string) (sf, block string, rest []string) {
	for _, n := range list {
		if !signatureName.MatchString(n) {
			return "", "", nil
		}
	}
	stem, _, _ := strings.Cut(list[0], ".")
	for _, n := range list {
		switch s, kind, _ := strings.Cut(n, "."); {
		case s != stem:
			rest = append(rest, n)
		case kind == "SF" && sf == "":
			sf = n
		case kind != "SF" && block == "":
			block = n
		default:
			return "", "", nil
		}
	}
	if block == "" {
		return "", "", nil
	}
	return sf, block, rest
}

// manifest is a manifest that a signer wrote: a main section, and one with digests for each member.
type manifest struct {
	data     []byte
	main     []byte // with the empty line that ends it
	sections map[string]section
	order    []string
}

type section struct {
	raw     []byte // with the empty line
	digests map[string]string
}

var jarDigests = map[string]crypto.Hash{"SHA-256-Digest": crypto.SHA256, "SHA-384-Digest": crypto.SHA384, "SHA-512-Digest": crypto.SHA512}

// readManifest reads sections of names and digests. Anything else said of a member is not a signature's to say.
func readManifest(name string, data []byte) (*manifest, error) {
	malformed := refuse(name, "malformed manifest")
	m := &manifest{data: data, sections: map[string]section{}}
	raw, _, rest, ok := cutSection(data)
	if !ok {
		return nil, malformed
	}
	m.main = raw
	for len(rest) > 0 {
		var lines []attribute
		if raw, lines, rest, ok = cutSection(rest); !ok || len(lines) < 2 || lines[0].key != "Name" {
			return nil, malformed
		}
		s := section{raw: raw, digests: map[string]string{}}
		for _, l := range lines[1:] {
			if _, known := jarDigests[l.key]; !known || s.digests[l.key] != "" {
				return nil, refuse(name, "the manifest says more of a member than its digest: %q", l.key)
			}
			s.digests[l.key] = l.value
		}
		if _, twice := m.sections[lines[0].value]; twice {
			return nil, refuse(name, "the manifest has two sections for %q", lines[0].value)
		}
		m.sections[lines[0].value] = s
		m.order = append(m.order, lines[0].value)
	}
	return m, nil
}

type attribute struct{ key, value string }

// cutSection cuts one section up to and with the empty line that ends it, and joins continued lines. Lines end in CR LF.
func cutSection(data []byte) (raw []byte, lines []attribute, rest []byte, ok bool) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, nil, nil, false
	}
	raw, rest = data[:end+4], data[end+4:]
	for _, line := range strings.Split(string(data[:end]), "\r\n") {
		if len(line) > 72 || strings.ContainsAny(line, "\r\n\x00") {
			return nil, nil, nil, false
		}
		if more, found := strings.CutPrefix(line, " "); found && len(lines) > 0 {
			lines[len(lines)-1].value += more
			continue
		}
		key, value, found := strings.Cut(line, ": ")
		if !found {
			return nil, nil, nil, false
		}
		lines = append(lines, attribute{key, value})
	}
	return raw, lines, rest, true
}

// signerMain is what a signer writes as the main section where the build made no manifest.
var signerMain = pattern.New(`^Manifest-Version: 1\.0\r\n((Built-By|Created-By): [A-Za-z0-9 ._()-]{1,60}\r\n){0,2}\r\n$`)

// covers demands that the main section is the build's, and that every file of the shipped archive, and nothing else, has
// its digests in the manifest.
func (m *manifest) covers(name string, shipped, rebuilt *zipFile) error {
	own := false
	for _, e := range rebuilt.Members {
		if e.Name != manifestName {
			continue
		}
		data, err := rebuilt.content(e, maxManifest)
		if err != nil {
			return err
		}
		if !bytes.Equal(data, m.main) {
			return refuse(name, "the manifest does not begin with the build's")
		}
		own = true
	}
	if !own && !signerMain.Regexp().Match(m.main) {
		return refuse(name, "the main section of the manifest is not in the build")
	}
	left := len(m.sections)
	for _, e := range shipped.Members {
		if jarAdded(e.Name) || strings.HasSuffix(e.Name, "/") {
			continue
		}
		s, ok := m.sections[e.Name]
		if !ok {
			return refuse(name, "%q is not signed", e.Name)
		}
		left--
		if err := s.holds(name, shipped, e); err != nil {
			return err
		}
	}
	if left != 0 {
		return refuse(name, "the manifest names members that are not there")
	}
	return nil
}

// holds compares the digests of a section with a member's content.
func (s section) holds(name string, f *zipFile, e archive.ZipMember) error {
	for key, want := range s.digests {
		r, err := f.z.Content(e)
		if err != nil {
			return err
		}
		h := jarDigests[key].New()
		err = copyAll(h, r)
		r.Close()
		if err != nil {
			return err
		}
		if base64.StdEncoding.EncodeToString(h.Sum(nil)) != want {
			return refuse(name, "the signed digest of %q is not that of the member", e.Name)
		}
	}
	return nil
}

var sfMain = pattern.New(`^(Signature-Version: 1\.0|Created-By: [A-Za-z0-9 ._()-]{1,60}|X-Android-APK-Signed: [23](, [23])?|SHA-(256|384|512)-Digest-Manifest(-Main-Attributes)?: [A-Za-z0-9+/=]{44,88})$`)

// checkSF reads a signature file: digests of the manifest as a whole, of its main section, and of its other sections.
func (m *manifest) checkSF(name string, data []byte) error {
	malformed := refuse(name, "malformed signature file")
	_, lines, rest, ok := cutSection(data)
	if !ok {
		return malformed
	}
	whole := false
	seen := map[string]bool{}
	for _, l := range lines {
		if !sfMain.MatchString(l.key+": "+l.value) || seen[l.key] {
			return refuse(name, "the signature file says %q", l.key)
		}
		seen[l.key] = true
		over := m.data
		key, isMain := strings.CutSuffix(l.key, "-Manifest-Main-Attributes")
		if isMain {
			over = m.main
		} else if key, ok = strings.CutSuffix(l.key, "-Manifest"); !ok {
			continue
		}
		if digestOf(key, over) != l.value {
			return refuse(name, "%s is not that of the manifest", l.key)
		}
		whole = whole || !isMain
	}
	if !whole {
		return refuse(name, "the signature file does not cover the manifest")
	}
	for len(rest) > 0 {
		if _, lines, rest, ok = cutSection(rest); !ok || len(lines) != 2 || lines[0].key != "Name" || seen["Name: "+lines[0].value] {
			return malformed
		}
		seen["Name: "+lines[0].value] = true
		s, known := m.sections[lines[0].value]
		if !known || lines[1].value == "" || digestOf(lines[1].key, s.raw) != lines[1].value {
			return refuse(name, "the digest of the section of %q is not that of the manifest", lines[0].value)
		}
	}
	return nil
}

// digestOf returns "" for an unknown key.
func digestOf(key string, data []byte) string {
	h, ok := jarDigests[key]
	if !ok {
		return ""
	}
	w := h.New()
	w.Write(data)
	return base64.StdEncoding.EncodeToString(w.Sum(nil))
}
