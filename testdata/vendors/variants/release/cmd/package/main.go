// Package puts the programs of a release for Linux into an archive and an image, the same bytes every time: names in the order
// given, owner 0, and the time in SOURCE_DATE_EPOCH. Programs for other systems are left as they are.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const version = "1.3.1"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: package DIR")
		os.Exit(2)
	}
	if err := packages(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

type file struct {
	name, from string
	mode       int64
}

func packages(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "kestrel")); os.IsNotExist(err) {
		return nil
	}
	epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	when := time.Unix(epoch, 0).UTC()
	top := "kestrel-" + version + "/"
	archive, err := pack(when,
		file{top + "kestrel", filepath.Join(dir, "kestrel"), 0o755}, file{top + "kestrel-rules", filepath.Join(dir, "kestrel-rules"), 0o755},
		file{top + "LICENSE", "LICENSE", 0o644}, file{top + "README.md", "README.md", 0o644})
	if err != nil {
		return err
	}
	if archive, err = compress(archive); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "kestrel-"+version+"-linux-amd64.tar.gz"), archive, 0o644); err != nil {
		return err
	}
	return image(dir, when)
}

// image writes an archive of an OCI layout with one layer.
func image(dir string, when time.Time) error {
	layer, err := pack(when, file{"usr/bin/kestrel", filepath.Join(dir, "kestrel"), 0o755})
	if err != nil {
		return err
	}
	diff := sha256.Sum256(layer)
	if layer, err = compress(layer); err != nil {
		return err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	put := func(name string, data []byte) error {
		return write(w, name, 0o644, when, data)
	}
	blob := func(data []byte) (string, error) {
		sum := sha256.Sum256(data)
		return fmt.Sprintf(`"digest":"sha256:%x","size":%d`, sum, len(data)), put(fmt.Sprintf("blobs/sha256/%x", sum), data)
	}
	layerIs, err := blob(layer)
	if err != nil {
		return err
	}
	configIs, err := blob(fmt.Appendf(nil, `{"created":%q,"architecture":"amd64","os":"linux","config":{"Entrypoint":["/usr/bin/kestrel"]},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`,
		when.Format(time.RFC3339), diff))
	if err != nil {
		return err
	}
	manifestIs, err := blob(fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",%s}]}`, configIs, layerIs))
	if err != nil {
		return err
	}
	index := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s}]}`, manifestIs)
	if err := put("index.json", index); err != nil {
		return err
	}
	if err := put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "kestrel-"+version+"-image.tar"), out.Bytes(), 0o644)
}

func pack(when time.Time, files ...file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		data, err := os.ReadFile(f.from)
		if err != nil {
			return nil, err
		}
		if err := write(w, f.name, f.mode, when, data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func write(w *tar.Writer, name string, mode int64, when time.Time, data []byte) error {
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data)), ModTime: when, Format: tar.FormatUSTAR})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func compress(data []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}
