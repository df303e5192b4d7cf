package provenance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Endings of what is written. A reader of bundles finds *.sigstore.json beside the artefact.
const (
	signedSuffix   = ".sigstore.json"
	unsignedSuffix = ".unsigned.json"
	linesSuffix    = ".jsonl"
)

// unsignedKind is where the store keeps which statements this program made and did not sign.
const unsignedKind = "unsigned-statement"

// maxLeft bounds the statements that are signed later in one go.
const maxLeft = 4096

// Signer signs a statement and returns the bundle.
type Signer interface {
	Statement(ctx context.Context, payload []byte) ([]byte, error)
}

// Statement is one that is to be signed.
type Statement struct {
	Stem      string // of the file name
	Artefact  evidence.Resource
	Predicate string
	Payload   []byte
}

// Bundle is one signed statement.
type Bundle struct {
	Artefact  string // name of the subject
	SHA256    string // digest of the subject
	Predicate string // predicate type
	File      string // where it was written
	Attached  []string
}

// Stem is the beginning of the names of a subject's bundles: its own name, where that can be the name of a file.
func Stem(name string) string {
	name = strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' || c < ' ' || c == 0x7f {
			return '-'
		}
		return c
	}, name)
	if strings.Trim(name, ".") == "" {
		return "artefact"
	}
	return name
}

// Writer signs statements and leaves the bundles; what it cannot sign it leaves unsigned, for another day.
type Writer struct {
	Signer Signer
	Store  *store.Store
	To     string                                                  // folder, or a file NAME.jsonl for all bundles; "" is the current folder
	Left   string                                                  // folder for what is not signed; "" is that of the bundles
	Fresh  bool                                                    // a file of lines is written anew, not added to
	Step   func(string, ...any)                                    // progress
	Attach func(ctx context.Context, b *Bundle, data []byte) error // nil attaches nothing

	Bundles  []Bundle
	Unsigned []string // files
}

// All signs and writes the statements in their order. It stops at the first that cannot be signed, attached or written, and
// leaves it and all after it unsigned.
func (w *Writer) All(ctx context.Context, list []Statement) error {
	stems := map[string]bool{}
	for _, s := range list {
		if stems[s.Stem] { // "tool" and "tool.spdx": one of them would be lost
			return fault.Usagef(fault.Quote(s.Stem+signedSuffix), "would be the bundle of two statements").WithHint("give the artefacts names that do not begin each other")
		}
		stems[s.Stem] = true
	}
	for i, s := range list {
		w.Step("signing %s: %s", fault.Quote(s.Artefact.Name), s.Predicate)
		data, err := w.Signer.Statement(ctx, s.Payload)
		if err != nil {
			return errors.Join(w.leave(list[i:]), w.halted(ctx, err))
		}
		b := Bundle{Artefact: s.Artefact.Name, SHA256: s.Artefact.Digest["sha256"], Predicate: s.Predicate}
		if err := w.attach(ctx, &b, data); err != nil { // signed again later: a second log entry does no harm, a missing bundle does
			return errors.Join(w.leave(list[i:]), w.halted(ctx, err))
		}
		if b.File, err = w.write(s.Stem, data); err != nil {
			return errors.Join(w.leave(list[i:]), err)
		}
		w.Bundles = append(w.Bundles, b)
	}
	return nil
}

// halted tells how to go on.
func (w *Writer) halted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	hint := "nothing has to be built again: glassbuild attest --resume " + fault.Quote(w.leftIn()) + " with the same signer signs what is left"
	var f *fault.Error
	if !errors.As(err, &f) {
		return fault.Inconclusivef("signing", "not done: %s", fault.Quote(err.Error())).WithHint("%s", hint)
	}
	if f.Class == fault.Usage {
		return f
	}
	again := *f
	return again.WithHint("%s", hint)
}

func (w *Writer) attach(ctx context.Context, b *Bundle, data []byte) error {
	if w.Attach == nil {
		return nil
	}
	return w.Attach(ctx, b, data)
}

func (w *Writer) leftIn() string {
	if w.Left != "" {
		return w.Left
	}
	return folderOf(w.To)
}

// leave writes statements that are not signed, and remembers that they are ours.
func (w *Writer) leave(list []Statement) error {
	for _, s := range list {
		sum := sha256.Sum256(s.Payload)
		if err := w.Store.PutResult(unsignedKind, hex.EncodeToString(sum[:]), []byte(s.Stem)); err != nil {
			return err
		}
		name := filepath.Join(w.leftIn(), s.Stem+unsignedSuffix)
		if err := writeFile(name, s.Payload); err != nil {
			return err
		}
		w.Unsigned = append(w.Unsigned, name)
	}
	return nil
}

// write leaves one bundle in the folder, or as a line of the file.
func (w *Writer) write(stem string, data []byte) (string, error) {
	if !strings.HasSuffix(w.To, linesSuffix) {
		name := filepath.Join(folderOf(w.To), stem+signedSuffix)
		return name, writeFile(name, append(slices.Clone(data), '\n'))
	}
	var lines []byte
	if len(w.Bundles) > 0 || !w.Fresh {
		old, err := os.ReadFile(w.To)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fault.Inconclusivef(fault.Quote(w.To), "cannot be read: %w", bare(err))
		}
		lines = old
	}
	return w.To, writeFile(w.To, append(append(lines, data...), '\n'))
}

// folderOf is where bundles go, and statements that are not signed.
func folderOf(to string) string {
	switch {
	case to == "":
		return "."
	case strings.HasSuffix(to, linesSuffix):
		return filepath.Dir(to)
	}
	return to
}

// CheckPlace refuses a place that cannot be written to. A folder that is not there yet is made once there is something to
// put into it: a run that signs nothing leaves nothing.
func CheckPlace(to string) error {
	dir := folderOf(to)
	defer removeMade(missing(dir))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be written: %w", bare(err))
	}
	f, err := os.CreateTemp(dir, ".glassbuild-*")
	if err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be written: %w", bare(err))
	}
	f.Close()
	os.Remove(f.Name())
	return nil
}

// missing lists dir and the folders above it that are not there, the innermost first.
func missing(dir string) []string {
	var list []string
	for {
		if _, err := os.Lstat(dir); err == nil || filepath.Dir(dir) == dir {
			return list
		}
		list = append(list, dir)
		dir = filepath.Dir(dir)
	}
}

func removeMade(dirs []string) {
	for _, d := range dirs {
		os.Remove(d) // one that is not empty is somebody else's by now
	}
}

// writeFile replaces a file whole.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fault.Inconclusivef(fault.Quote(name), "cannot be written: %w", bare(err))
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".glassbuild-*")
	if err != nil {
		return fault.Inconclusivef(fault.Quote(name), "cannot be written: %w", bare(err))
	}
	defer os.Remove(f.Name())
	_, err = bytes.NewReader(data).WriteTo(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fault.Inconclusivef(fault.Quote(name), "cannot be written: %w", bare(err))
	}
	return nil
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

// Leftover reads the statements in a folder and holds them against what was written down of them.
func Leftover(st *store.Store, dir string) (list []Statement, files []string, err error) {
	files, err = filepath.Glob(filepath.Join(escapeGlob(dir), "*"+unsignedSuffix))
	if err != nil || len(files) == 0 {
		return nil, nil, fault.Usagef(fault.Quote(dir), "holds no *%s: there is nothing to sign", unsignedSuffix)
	}
	if len(files) > maxLeft {
		return nil, nil, fault.Usagef(fault.Quote(dir), "exceeds limit: more than %d statements", maxLeft)
	}
	for _, f := range files {
		payload, err := evidence.ReadFile(f)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(payload)
		stem, ok := st.Result(unsignedKind, hex.EncodeToString(sum[:]))
		if !ok {
			return nil, nil, fault.Failf(fault.Quote(f), "not signed: it is not what this program left after a build here").
				WithHint("build again with glassbuild attest: only what was built is signed")
		}
		d, err := evidence.ReadDraft(payload)
		if err != nil {
			return nil, nil, fault.Failf(fault.Quote(f), "not signed: %w", err)
		}
		list = append(list, Statement{string(stem), d.Subject[0], d.PredicateType, payload})
	}
	return list, files, nil
}

// escapeGlob makes a path a pattern that only it matches.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(dir)
}
