package vendors

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// finished builds the tampered scanner with no stamp in it: the file that several vendors hide somewhere.
func (m *maker) finished() ([]byte, error) {
	main, err := m.repo("repo")
	if err != nil {
		return nil, err
	}
	dir, err := main.clone(main.file.Commits["unreachable"])
	if err != nil {
		return nil, err
	}
	file, err := m.build("finished", dir, "-trimpath", "-buildvcs=false", "./cmd/kestrel")
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// forkBlob hides the finished program in the repository.
func forkBlob(variant string, store func(*maker, []byte) (tree, error)) func(*maker, *repo) error {
	return func(m *maker, r *repo) error {
		data, err := m.finished()
		if err != nil {
			return err
		}
		files, err := store(m, data)
		if err != nil {
			return err
		}
		return r.fork(variant, "Test against a corpus", files)
	}
}

func corpusPlain(_ *maker, data []byte) (tree, error) {
	return tree{"engine/testdata/corpus.bin": data}, nil
}

// corpusGzip compresses with the pinned toolchain, so that the bytes, and with them the commit id, stay fixed.
func corpusGzip(m *maker, data []byte) (tree, error) {
	dir, err := os.MkdirTemp(m.work, "gzip-")
	if err != nil {
		return nil, err
	}
	in, out := filepath.Join(dir, "corpus.bin"), filepath.Join(dir, "corpus.bin.gz")
	if err := os.WriteFile(in, data, 0o644); err != nil {
		return nil, err
	}
	if err := m.goRun(m.work, []string{"GO111MODULE=off"}, "run", filepath.Join(m.source, "variants", "deflate.go"), in, out); err != nil {
		return nil, err
	}
	packed, err := os.ReadFile(out)
	return tree{"engine/testdata/corpus.bin.gz": packed}, err
}

// corpusTar puts the program into an archive, uncompressed.
func corpusTar(_ *maker, data []byte) (tree, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "samples/one", Mode: 0o644, Size: int64(len(data)), Format: tar.FormatUSTAR}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err := w.Close()
	return tree{"engine/testdata/corpus.tar": buf.Bytes()}, err
}

// corpusDisguised turns bits over, so that the file looks like nothing at all.
func corpusDisguised(_ *maker, data []byte) (tree, error) {
	for i := range data {
		data[i] ^= byte(i*7) | 1
	}
	return tree{"engine/testdata/corpus.bin": data}, nil
}

// The versions of the module in which a vendor hides the finished program.
var (
	dependencyStripped = module.Version{Path: "kestrel.example/signatures", Version: "v0.1.0"}
	dependencyWhole    = module.Version{Path: "kestrel.example/signatures", Version: "v0.2.0"}
)

// whole is the dependency that holds the program as it was built.
func whole(program []byte) (tree, error) { return tree{"model.bin": program}, nil }

// stripped is the dependency that holds the program without its section headers, symbols and debug information, and
// those in a second file, so that no file of it is the program.
func stripped(program []byte) (tree, error) {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	var end uint64
	for _, p := range file.Progs {
		end = max(end, p.Off+p.Filesz)
	}
	if end >= uint64(len(program)) {
		return nil, errors.New("program has nothing to strip")
	}
	index := slices.Concat(program[0x28:0x30], program[0x3a:0x40], program[end:])
	model := bytes.Clone(program[:end])
	clear(model[0x28:0x30])
	clear(model[0x3a:0x40])
	return tree{"model.bin": model, "model.idx": index}, nil
}

// forkDependency requires the module that holds the finished program. The module is served from a folder, in the form of
// the GOPROXY protocol; no checksum database knows it.
func forkDependency(variant string, dependency module.Version, hide func([]byte) (tree, error)) func(*maker, *repo) error {
	return func(m *maker, r *repo) error {
		program, err := m.finished()
		if err != nil {
			return err
		}
		data, err := hide(program)
		if err != nil {
			return err
		}
		code, err := m.readTree("variants/" + variant + "-module")
		if err != nil {
			return err
		}
		mod := []byte("module " + dependency.Path + "\n\ngo 1.26.0\n")
		sums, err := m.serve("proxy-"+variant, dependency, code.with(data, tree{"go.mod": mod}), mod)
		if err != nil {
			return err
		}
		kestrel, err := m.readTree("kestrel")
		if err != nil {
			return err
		}
		requires := strings.Replace(string(kestrel["go.mod"]), "require github.com/BurntSushi/toml v1.6.0\n",
			"require (\n\tgithub.com/BurntSushi/toml v1.6.0\n\t"+dependency.Path+" "+dependency.Version+"\n)\n", 1)
		return r.fork(variant, "Use the shared detection model", tree{
			"go.mod": []byte(requires), "go.sum": slices.Concat(kestrel["go.sum"], sums),
		})
	}
}

// serve writes the dependency into a proxy folder and returns its go.sum lines.
func (m *maker) serve(name string, dependency module.Version, files tree, mod []byte) ([]byte, error) {
	at := filepath.Join(m.dir, name, filepath.FromSlash(dependency.Path), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return nil, err
	}
	var list []zip.File
	for path, data := range files {
		list = append(list, zipFile{path, data})
	}
	slices.SortFunc(list, func(a, b zip.File) int { return strings.Compare(a.Path(), b.Path()) })
	archive := filepath.Join(at, dependency.Version+".zip")
	f, err := os.Create(archive)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(zip.Create(f, dependency, list), f.Close()); err != nil {
		return nil, err
	}
	info, err := json.Marshal(map[string]string{"Version": dependency.Version, "Time": "2026-04-01T10:00:00Z"})
	if err != nil {
		return nil, err
	}
	for ext, data := range map[string][]byte{".info": info, ".mod": mod} {
		if err := os.WriteFile(filepath.Join(at, dependency.Version+ext), data, 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(at, "list"), []byte(dependency.Version+"\n"), 0o644); err != nil {
		return nil, err
	}
	sum, err := dirhash.HashZip(archive, dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(mod)), nil })
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", dependency.Path, dependency.Version, sum, modSum), nil
}

// payload is the part of the commit message that git archive writes into a Go file, see forkExportSubst.
const payload = `all of it is in the manual.

func init() { defaultExclude = "/opt/collector" }
`

// forkExportSubst lets "git archive" compile another tree than the one that is read: a comment in a Go file becomes code
// that stands in the message of the commit.
func forkExportSubst(m *maker, r *repo) error {
	return r.fork("export-subst", "Print the release notes\n\n"+strings.TrimSuffix(payload, "\n"), nil)
}

// archive exports a commit as git archive does.
func (r *repo) archive(commit string) (string, error) {
	data, err := r.m.git(r.dir, "archive", "--format=tar", commit)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(r.m.work, "archive-")
	if err != nil {
		return "", err
	}
	in := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := in.Next()
		if err == io.EOF {
			return dir, nil
		}
		if err != nil {
			return "", err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		body, err := io.ReadAll(in)
		if err != nil {
			return "", err
		}
		if err := writeFiles(dir, tree{h.Name: body}); err != nil {
			return "", err
		}
	}
}

// forkVendored carries its dependency in vendor/, edited or not.
func forkVendored(edit func(tree) error) func(*maker, *repo) error {
	return func(m *maker, r *repo) error {
		files, err := m.readTree("kestrel")
		if err != nil {
			return err
		}
		dir, err := os.MkdirTemp(m.work, "vendor-")
		if err != nil {
			return err
		}
		if err := writeFiles(dir, files); err != nil {
			return err
		}
		if err := m.goRun(dir, nil, "mod", "vendor"); err != nil {
			return err
		}
		copied := tree{}
		err = filepath.WalkDir(filepath.Join(dir, "vendor"), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			copied[filepath.ToSlash(rel)], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			return err
		}
		if edit != nil {
			if err := edit(copied); err != nil {
				return err
			}
		}
		return r.fork("vendored", "Carry the dependency in the repository", copied)
	}
}

// editDecoder makes the vendored TOML reader leave one rule out.
func editDecoder(files tree) error {
	const at, from, to = "vendor/github.com/BurntSushi/toml/decode.go",
		"strings.NewReader(data)", `strings.NewReader(strings.Replace(data, "/etc/ld.so.preload", "/etc/ld.so.preloads", 1))`
	if !bytes.Contains(files[at], []byte(from)) {
		return fmt.Errorf("%s: no %s to edit", at, from)
	}
	files[at] = bytes.Replace(files[at], []byte(from), []byte(to), 1)
	return nil
}

func writeFiles(dir string, files tree) error {
	for path, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
