// Package archivetest makes package archives and images for tests: small, complete, signed, and as hostile as a test wants them.
package archivetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Archive is a package archive of our own: files by path, signed by key.
type Archive struct {
	t     *testing.T
	Key   *openpgp.Entity
	mu    sync.Mutex
	Files map[string][]byte // what is served, by path; Set changes it while it is served
	asked map[string]int
	URL   string
}

// Package is one package of it.
type Package struct {
	Name, Version string
	Fields        string // more lines of the control file
	Scripts       map[string]string
	Members       []tar.Header
	Text          map[string]string // content by name
}

// SHA returns the SHA-256 of data, hex.
func SHA(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Gzip compresses data.
func Gzip(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Tar packs members with the text that their names have; a mode of 0 is 0644.
func Tar(t *testing.T, headers []tar.Header, text map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		h.Size, h.ModTime = int64(len(text[h.Name])), time.Unix(1e9, 0)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text[h.Name])
	}
	w.Close()
	return b.Bytes()
}

func arMember(b *bytes.Buffer, name string, data []byte) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(data))
	b.Write(data)
	if len(data)%2 == 1 {
		b.WriteByte('\n')
	}
}

// Deb packs a package as dpkg-deb does.
func (p Package) Deb(t *testing.T) []byte {
	t.Helper()
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nDescription: test\n%s", p.Name, p.Version, p.Fields)
	headers, text := []tar.Header{{Name: "./control"}}, map[string]string{"./control": control}
	for _, name := range slices.Sorted(maps.Keys(p.Scripts)) {
		headers, text["./"+name] = append(headers, tar.Header{Name: "./" + name}), p.Scripts[name]
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	arMember(&b, "debian-binary", []byte("2.0\n"))
	arMember(&b, "control.tar.gz", Gzip(t, Tar(t, headers, text)))
	arMember(&b, "data.tar", Tar(t, p.Members, p.Text))
	return b.Bytes()
}

// NewArchive serves an archive with the suite "test".
func NewArchive(t *testing.T, packages ...Package) *Archive {
	t.Helper()
	a := &Archive{t: t, Files: map[string][]byte{}, asked: map[string]int{}}
	var err error
	if a.Key, err = openpgp.NewEntity("archive", "", "a@archive.example", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Now().Add(-time.Hour) }}); err != nil {
		t.Fatal(err)
	}
	a.Publish(packages...)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/debian/")
		a.asked[name]++
		if data, ok := a.Files[name]; ok {
			w.Write(data)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(srv.Close)
	a.URL = srv.URL + "/debian"
	return a
}

// Publish replaces what the archive offers; what lies in the pool stays.
func (a *Archive) Publish(packages ...Package) {
	a.t.Helper()
	var index bytes.Buffer
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range packages {
		data := p.Deb(a.t)
		name := fmt.Sprintf("pool/main/%s_%s_amd64.deb", p.Name, p.Version)
		a.Files[name] = data
		fmt.Fprintf(&index, "Package: %s\nVersion: %s\nArchitecture: amd64\n%sFilename: %s\nSize: %d\nSHA256: %s\n\n", p.Name, p.Version, p.Fields, name, len(data), SHA(data))
	}
	a.Index(index.Bytes())
}

// Index replaces the Packages file, and signs.
func (a *Archive) Index(text []byte) {
	gz := Gzip(a.t, text)
	a.Files["dists/test/main/binary-amd64/Packages.gz"] = gz
	a.Release(fmt.Sprintf("Codename: test\nSuite: testing\nDate: %s\nSHA256:\n %s %d main/binary-amd64/Packages.gz\n", time.Now().UTC().Add(-time.Minute).Format("Mon, 02 Jan 2006 15:04:05 MST"), SHA(gz), len(gz)), a.Key)
}

// Release replaces the Release file.
func (a *Archive) Release(text string, key *openpgp.Entity) {
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, key.PrivateKey, &packet.Config{DefaultHash: crypto.SHA256})
	if err == nil {
		if _, err = io.WriteString(w, text); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.Files["dists/test/InRelease"] = append(b.Bytes(), '\n')
}

// Set replaces what is served at a path; nil takes it away.
func (a *Archive) Set(name string, data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if data == nil {
		delete(a.Files, name)
		return
	}
	a.Files[name] = data
}

// PublicKey returns the key that signs, as a keyring holds it.
func (a *Archive) PublicKey() []byte {
	var b bytes.Buffer
	if err := a.Key.Serialize(&b); err != nil {
		a.t.Fatal(err)
	}
	return b.Bytes()
}
