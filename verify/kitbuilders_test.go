package verify_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder/archivetest"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/verify"
)

// TestKitOfDebianBuilder: packages and the signed Release file are in a kit, the key that counts is the auditor's, and the archive is
// not asked again.
func TestKitOfDebianBuilder(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	const pool = "pool/main/tiny-cc_1.0-1_amd64.deb"
	a := archivetest.NewArchive(t, archivetest.Package{Name: "tiny-cc", Version: "1.0-1", Members: []tar.Header{{Name: "./usr/bin/cc", Mode: 0o755}}, Text: map[string]string{"./usr/bin/cc": p.compiler}})
	recipe := p.recipe(t, fmt.Sprintf("debian = { suite = \"test\", packages = [\"tiny-cc\"], mirror = %q }", a.URL))
	policy := filepath.Join(p.dir, "policy.toml")
	p.write(t, filepath.Join(p.dir, "archive.gpg"), string(a.PublicKey()))
	p.write(t, policy, "format = 1\n[rebuild]\narchive-keys = [\"archive.gpg\"]\n")
	lock, err := verify.Lock(context.Background(), verify.Request{Repository: p.repo, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, CacheDir: filepath.Join(p.dir, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, filepath.Join(p.dir, "own.lock"), string(lock))
	k := p.packed(t, recipe, policy, archivetest.SHA(a.Files[pool]), "debian tiny-cc 1.0-1", func() {
		for name := range a.Files {
			a.Set(name, nil)
		}
	})
	if v, err := p.fromKit(t, k, recipe, ""); err != nil || v.Result == "passed" {
		t.Errorf("the key of an archive came from a kit: %s, %v", v.Summary, err)
	}
}

// TestKitOfImageBuilder: the image's manifest and layers are in a kit, and its layout is not asked again.
func TestKitOfImageBuilder(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	f := archivetest.NewLayout(t)
	image := f.Image(nil, archivetest.Tar(t, []tar.Header{{Name: "bin/cc", Mode: 0o755}}, map[string]string{"bin/cc": p.compiler}))
	recipe := p.recipe(t, fmt.Sprintf("image = %q", f.Ref(image)))
	policy := filepath.Join(p.dir, "policy.toml")
	p.write(t, policy, fmt.Sprintf("format = 1\n[[rebuild.builder]]\ndigest = %q\nreason = \"looked at\"\n", image["digest"]))
	layer := ""
	for digest, data := range f.Blobs {
		if strings.HasPrefix(string(data), "\x1f\x8b") {
			layer = strings.TrimPrefix(digest, "sha256:")
		}
	}
	k := p.packed(t, recipe, policy, layer, "sha256:"+layer, func() {
		if err := os.RemoveAll(f.Dir); err != nil {
			t.Fatal(err)
		}
	})
	if v, err := p.fromKit(t, k, recipe, ""); err != nil || v.Result == "passed" {
		t.Errorf("a kit vouched for an image: %s, %v", v.Summary, err)
	}
}

// packed verifies, packs, lets everything go that was asked, and demands the same verdict from the kit; and that a kit without one part, or
// with another byte in it, decides nothing and names it.
func (p *plant) packed(t *testing.T, recipe, policy, part, called string, gone func()) string {
	t.Helper()
	online := p.verify(t, recipe, policy, p.honest)
	expect(t, "online", online, "passed", "identical", "")
	out := filepath.Join(p.dir, "release.kit")
	if _, err := verify.Pack(t.Context(), verify.PackRequest{Artefacts: []string{p.release}, Repository: p.repo, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, Out: out, CacheDir: filepath.Join(p.dir, "cache")}); err != nil {
		t.Fatal(err)
	}
	gone()
	if err := os.Rename(p.repo, p.repo+".away"); err != nil {
		t.Fatal(err)
	}
	offline, err := p.fromKit(t, out, recipe, policy)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := document(t, online), document(t, offline); !bytes.Equal(a, b) {
		t.Errorf("another verdict from the kit:\n%s\nonline:\n%s", b, a)
	}
	layout := filepath.Join(p.dir, "layout")
	unpack := exec.Command("sh", "-c", "mkdir layout && tar -C layout -xf release.kit")
	if unpack.Dir = p.dir; unpack.Run() != nil {
		t.Fatal("the kit is no tar archive")
	}
	blob := filepath.Join(layout, "blobs/sha256", part)
	data, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	for what, change := range map[string]func() error{"changed": func() error { return os.WriteFile(blob, data, 0o644) }, "missing": func() error { return os.Remove(blob) }} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.fromKit(t, layout, recipe, policy); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "is damaged: "+called) {
			t.Errorf("%s: %v", what, err)
		}
		if what == "missing" { // for the other one
			if err := os.WriteFile(blob, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	// the document does not name it either: what the builder asks for by its digest is not in the kit
	lost := filepath.Join(p.dir, "lost.kit")
	without(t, out, lost, part)
	v, err := p.fromKit(t, lost, recipe, policy)
	if err == nil && v.Result != "inconclusive" || err != nil && fault.ClassOf(err) == fault.Failed {
		t.Errorf("%v: %s", err, v.Summary)
	}
	return out
}

func (p *plant) fromKit(t *testing.T, file, recipe, policy string) (verify.Verdict, error) {
	t.Helper()
	res, err := verify.Run(t.Context(), verify.Request{Kit: file, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, CacheDir: t.TempDir()})
	if err != nil {
		return verify.Verdict{}, err
	}
	return res.Verdict, nil
}

func document(t *testing.T, v verify.Verdict) []byte {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// without writes a kit again that does not hold one part, and does not say so.
func without(t *testing.T, from, to, part string) {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	place, err := kit.At(from, oci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	k, err := kit.Open(t.Context(), place, s)
	if err != nil {
		t.Fatal(err)
	}
	var kept []kit.File
	for _, f := range k.Document.Files {
		if f.SHA256 != part {
			kept = append(kept, f)
		}
	}
	if len(kept) == len(k.Document.Files) {
		t.Fatalf("no part %s", part)
	}
	k.Document.Files = kept
	sealed, err := kit.Seal(t.Context(), k.Document, s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sealed.WriteTo(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}
