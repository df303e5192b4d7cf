// Package kit carries everything that a verification reads across an air gap in one file: the git objects of a commit, what its builder
// is made of, fetched inputs, evidence, and what was shipped.
//
//	k, err := kit.Open(ctx, place, store)   // every byte is hashed on its way into the store
//	k.Shelf(store)                          // stands in the place of the network, see remote.Shelf
//	err = kit.Write(w, k.Document, store)   // the same document and bytes give the same kit
//
// A kit is an OCI image layout (image-spec 1.1), in a tar archive, a folder, or a registry: one artifact manifest whose config is the
// document (Document) and whose layers are the content, everything named by its SHA-256.
//
// What it promises:
//
//   - A kit supplies bytes, never trust. Nothing in it says what is trusted: what looks like a policy, a list of keys or a trusted
//     root is not read, and Kit.Ignored names it. What the bytes are worth is judged by the same code, from the same evidence, as
//     if a server had sent them.
//   - Nothing is handed out whose bytes were not hashed. What is missing or damaged is named, and decides nothing: the error is
//     inconclusive.
//   - The document has one reading: it is accepted in the one encoding that Marshal writes. Names lead nowhere.
//   - Whatever a kit announces, no more is read, counted or stored than limits.go says.
package kit

import (
	"bytes"
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Media types of a kit and its parts.
const (
	Type         = "application/vnd.glassbuild.kit.v1"
	TypeDocument = "application/vnd.glassbuild.kit.document.v1+json"
	TypePack     = "application/vnd.glassbuild.kit.git-pack.v1"
	TypeFile     = "application/vnd.glassbuild.kit.file.v1"
	TypeBundle   = "application/vnd.glassbuild.kit.small-files.v1.tar"
)

// Kinds of files. A file of another kind is named in Kit.Ignored and not read.
const (
	Fetched  = "fetched"    // Name is what a protocol calls it, see remote.Shelf
	Part     = "part"       // found by its digest: packages and layers that builders are made of, indexes, archives of modules
	Large    = "large-file" // of git LFS; Name is its digest
	Artefact = "artefact"   // what was shipped
	Evidence = "evidence"   // signed statements
	Recipe   = "recipe"     // one that is not in the tree; used only where the auditor names it
	Lock     = "lock"       // of such a recipe
)

var kinds = []string{Fetched, Part, Large, Artefact, Evidence, Recipe, Lock}

// format is the version of the document.
const format = 1

// Document says what is in a kit.
type Document struct {
	Format     int      `json:"format"`
	Tool       string   `json:"tool"`       // that packed it; nobody relies on it
	Repository string   `json:"repository"` // as who packed it named it
	Commit     string   `json:"commit"`
	History    bool     `json:"history"`           // more of the history was recorded than reaching the commit takes
	Release    []string `json:"release,omitempty"` // what names the release among the artefacts: files, folders, lists; none for one file by itself
	Sources    []Source `json:"sources"`           // the repository first, then its submodules
	Files      []File   `json:"files"`             // sorted by kind and name
	Absent     []string `json:"absent"`            // names that servers did not have
}

// Source is one git repository, as far as it was read.
type Source struct {
	Module  string   `json:"module"` // see source.Recording
	Origin  string   `json:"origin"`
	Format  string   `json:"format"`
	Objects int      `json:"objects"`
	SHA256  string   `json:"sha256"` // of the pack
	Size    int64    `json:"size"`
	Refs    []Ref    `json:"refs"`
	Shallow []string `json:"shallow"`
}

// Ref is a branch or tag.
type Ref struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// File is one file.
type File struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Marshal returns the one encoding of a document.
func (d *Document) Marshal() ([]byte, error) {
	slices.SortFunc(d.Files, func(a, b File) int {
		return strings.Compare(a.Kind+"\x00"+a.Name+"\x00"+a.SHA256, b.Kind+"\x00"+b.Name+"\x00"+b.SHA256)
	})
	slices.Sort(d.Absent)
	d.Format = format
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return nil, fault.Inconclusivef("kit", "the document cannot be written: %w", err)
	}
	return b.Bytes(), nil
}

// Parse reads a document.
func Parse(data []byte) (*Document, error) {
	const object = "kit document"
	if len(data) > MaxDocument {
		return nil, fault.Failf(object, "exceeds limit: %d bytes, at most %d", len(data), MaxDocument)
	}
	var d Document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fault.Failf(object, "malformed: %s", fault.Quote(err.Error()))
	}
	if d.Format != format {
		return nil, fault.Usagef(object, "has the format %d, this program reads %d", d.Format, format).WithHint("use a newer version of this program")
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	again, err := d.Marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) { // unknown or repeated keys, another order or spelling
		return nil, fault.Failf(object, "malformed: is not in the encoding of its format")
	}
	return &d, nil
}

func (d *Document) check() error {
	const object = "kit document"
	if len(d.Files)+len(d.Absent) > maxFiles || len(d.Sources) > maxSources {
		return fault.Failf(object, "exceeds limit: %d files and %d repositories", len(d.Files), len(d.Sources))
	}
	for i, s := range d.Sources {
		if !store.ValidDigest(s.SHA256) || s.Size < 0 || s.Size > MaxBlob {
			return fault.Failf(object, "malformed: the pack of %s has no digest and size", fault.Quote(s.Module))
		}
		if (i == 0) != (s.Module == "") || slices.ContainsFunc(d.Sources[:i], func(o Source) bool { return o.Module == s.Module }) {
			return fault.Failf(object, "malformed: want the repository first, and every submodule once")
		}
	}
	seen := make(map[[2]string]bool, len(d.Files))
	for _, f := range d.Files {
		if err := f.check(); err != nil {
			return err
		}
		key := [2]string{f.Kind, f.Name}
		if f.Kind == Part {
			key[1] = f.SHA256 // what a part is called is for people
		}
		if seen[key] {
			return fault.Failf(object, "duplicate entry: %s %s", fault.Quote(f.Kind), fault.Quote(f.Name))
		}
		seen[key] = true
	}
	for _, name := range d.Release {
		if !slices.ContainsFunc(d.Files, func(f File) bool {
			return f.Kind == Artefact && (f.Name == name || strings.HasPrefix(f.Name, name+"/"))
		}) {
			return fault.Failf(object, "malformed: %s names no artefact in it", fault.Quote(name))
		}
	}
	for _, name := range d.Absent {
		if len(name) > maxName || seen[[2]string{Fetched, name}] {
			return fault.Failf(object, "malformed: %s is there and absent", fault.Quote(name[:min(len(name), 64)]))
		}
	}
	return nil
}

func (f File) check() error {
	const object = "kit document"
	if !store.ValidDigest(f.SHA256) || f.Size < 0 || f.Size > MaxBlob || len(f.Name) > maxName {
		return fault.Failf(object, "malformed: %s %s has no digest and size", fault.Quote(f.Kind), fault.Quote(f.Name[:min(len(f.Name), 64)]))
	}
	switch f.Kind {
	case Large:
		if f.Name != f.SHA256 {
			return fault.Failf(object, "malformed: a large file is called by its digest, not %s", fault.Quote(f.Name))
		}
	case Artefact, Evidence: // become files of these names
		if !inside(f.Name) {
			return fault.Failf(object, "unsafe path: %s", fault.Quote(f.Name))
		}
	case Recipe, Lock:
		if !inside(f.Name) || strings.Contains(f.Name, "/") {
			return fault.Failf(object, "unsafe path: %s", fault.Quote(f.Name))
		}
	}
	return nil
}

// inside tells whether a name is that of a file below the folder in which it is laid, in one spelling, harmless to show, and hidden from
// nobody: what is laid must not become the configuration of a program that looks into the folder.
func inside(name string) bool {
	return len(name) <= maxName && name == path.Clean(name) && filepath.IsLocal(name) && !strings.ContainsAny(name, "\\:\x00") && fault.Plain(name) &&
		!strings.Contains("/"+name, "/.")
}

// Of returns the files of a kind.
func (d *Document) Of(kind string) []File {
	var out []File
	for _, f := range d.Files {
		if f.Kind == kind {
			out = append(out, f)
		}
	}
	return out
}

// content is every blob that a document names, by digest.
func (d *Document) content() map[string]blob {
	out := map[string]blob{}
	for _, s := range d.Sources {
		out[s.SHA256] = blob{s.SHA256, s.Size, TypePack, strings.TrimSpace("git objects " + s.Module)}
	}
	for _, f := range d.Files {
		if _, known := out[f.SHA256]; !known && slices.Contains(kinds, f.Kind) {
			out[f.SHA256] = blob{f.SHA256, f.Size, TypeFile, f.Name}
		}
	}
	return out
}

// blob is one piece of content.
type blob struct {
	sum   string
	size  int64
	media string
	title string // for people
}

// bundled tells whether the blob travels in the bundle of small files.
func (b blob) bundled() bool { return b.media == TypeFile && b.size <= smallFile }
