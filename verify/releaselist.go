package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"io"
	"os"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// digestList is a file with digests of other files, as sha256sum and sha512sum write them.
type digestList struct {
	name      string // inside the release
	sum       string
	algorithm string
	entries   []listed
	refused   error
	file      string // on this machine
	data      []byte // until its signatures were judged
}

// listed is one line of it.
type listed struct {
	name string // inside the release
	sum  string
}

// listName tells whether a file is a list of digests by its name: SHA256SUMS, tool-1.0_sha256sums.txt, checksums.txt,
// tool.tar.gz.sha256. Where it is none by its content, the verdict says so.
func listName(name string) bool {
	base := strings.ToLower(path.Base(name))
	for _, end := range []string{"sha256sums", "sha512sums", "sha256sums.txt", "sha512sums.txt", "sha256sum.txt", "sha512sum.txt", "checksums.txt", "checksums_sha256.txt"} {
		if strings.HasSuffix(base, end) {
			return true
		}
	}
	return strings.HasSuffix(base, ".sha256") || strings.HasSuffix(base, ".sha512")
}

// readList reads a list that lies at file and is called name in the release.
func readList(file, name string) (*digestList, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(file), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxListBytes+1))
	if err != nil {
		return nil, fault.Usagef(fault.Quote(file), "cannot be read: %w", bare(err))
	}
	l := &digestList{name: name, sum: digestOf(data), file: file, data: data}
	l.entries, l.algorithm, l.refused = parseList(data, path.Dir(name))
	return l, nil
}

// parseList reads the lines that GNU sha256sum writes: a digest, a space, a space or an asterisk (the mark of binary
// mode, which means nothing here), and the name; a backslash before the digest announces \\ and \n in the name. Every line
// has the same kind of digest and names another file; carriage returns, comments, absolute names and names that lead
// upwards are refused, for two readers of such a list would see two releases.
func parseList(data []byte, dir string) (list []listed, algorithm string, err error) {
	bad := func(n int, format string, args ...any) ([]listed, string, error) {
		return nil, "", fault.Failf("", "line %d: "+format, append([]any{n}, args...)...)
	}
	if len(data) > maxListBytes {
		return nil, "", fault.Failf("", "exceeds %d bytes", maxListBytes)
	}
	seen := map[string]bool{}
	n := 0
	for len(data) > 0 {
		var line []byte
		n++
		line, data, _ = bytes.Cut(data, []byte("\n"))
		text := string(line)
		switch {
		case strings.ContainsAny(text, "\r\x00"):
			return bad(n, "carriage return or NUL")
		case n > maxReleaseFiles:
			return bad(n, "more than %d lines", maxReleaseFiles)
		}
		escaped := strings.HasPrefix(text, `\`)
		sum, name, ok := strings.Cut(strings.TrimPrefix(text, `\`), " ")
		if !ok || len(name) < 2 || name[0] != ' ' && name[0] != '*' {
			return bad(n, "want a digest, two spaces and a name")
		}
		kind := map[int]string{sha256.Size * 2: "sha256", sha512.Size * 2: "sha512"}[len(sum)]
		if kind == "" || strings.Trim(sum, "0123456789abcdef") != "" {
			return bad(n, "malformed digest %q: want 64 or 128 lower-case hex digits", sum)
		}
		if algorithm != "" && algorithm != kind {
			return bad(n, "two kinds of digests in one list")
		}
		algorithm = kind
		name = name[1:]
		if escaped {
			if name, ok = unescape(name); !ok {
				return bad(n, "malformed escape in %q", name)
			}
		}
		clean, cerr := archive.Clean(name, true)
		if cerr != nil || clean == "." {
			return bad(n, "unsafe name %q", name)
		}
		clean = path.Join(dir, clean)
		if seen[clean] {
			return bad(n, "%q stands twice", name)
		}
		seen[clean] = true
		list = append(list, listed{clean, sum})
	}
	return list, algorithm, nil
}

// unescape undoes what sha256sum does to names with a backslash or a line feed.
func unescape(name string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '\\' {
			b.WriteByte(name[i])
			continue
		}
		if i++; i == len(name) {
			return name, false
		}
		switch name[i] {
		case '\\':
			b.WriteByte('\\')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		default:
			return name, false
		}
	}
	return b.String(), true
}

// detached tells whether a file is a detached signature or a certificate, and nothing else: armoured text, or one line of
// base64 as cosign writes it, beside the file that it is about.
func detached(file, name string, present map[string]bool) bool {
	ext := path.Ext(name)
	switch ext {
	case ".asc", ".sig", ".gpg", ".sign", ".sshsig", ".minisig", ".pem", ".cert", ".crt":
	default:
		return false
	}
	if !present[strings.TrimSuffix(name, ext)] && !strings.HasSuffix(name, ".pub") {
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDetached+1))
	if err != nil || len(data) > maxDetached {
		return false
	}
	if onePacket(data) {
		return true
	}
	text := strings.TrimRight(string(data), "\n")
	if rest, ok := strings.CutPrefix(text, "untrusted comment: "); ok && ext == ".minisig" {
		return strings.Count(rest, "\n") == 3 && !strings.ContainsFunc(rest, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') })
	}
	for _, kind := range []string{"PGP SIGNATURE", "SSH SIGNATURE", "CERTIFICATE", "PKCS7"} {
		if strings.HasPrefix(text, "-----BEGIN "+kind+"-----\n") && strings.HasSuffix(text, "-----END "+kind+"-----") {
			return strings.Trim(text, armour) == ""
		}
	}
	return ext != ".asc" && text != "" && strings.Trim(text, base64Digits) == ""
}

const (
	base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
	armour       = base64Digits + "- \n:.,()<>@_"
)
