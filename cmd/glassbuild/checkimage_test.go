package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	gcr "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// pushed puts an image into a registry on the loopback.
func pushed(t *testing.T) (host string, img v1.Image, digest string) {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(s.Close)
	host = strings.TrimPrefix(s.URL, "http://")
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host + "/team/tool:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := gcr.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return host, img, d.String()
}

// attach attaches a bundle about an image to it, in a repository.
func attach(t *testing.T, ref, digest string, bundle []byte) {
	t.Helper()
	c, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := oci.Parse(ref)
	if err != nil {
		t.Fatal(err)
	}
	place, err := oci.Open(r, oci.Options{Remote: c, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	if _, err := place.Attach(t.Context(), digest, oci.Bundle{Data: bundle, Predicate: "https://slsa.dev/provenance/v1", Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func about(t *testing.T, digest, subject string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1", "predicate": honestProvenance(),
		"subject": []any{map[string]any{"name": subject, "digest": map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCheckImage judges an image by what is attached to it, and by what a repository of evidence holds about it.
func TestCheckImage(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "image")
	host, _, digest := pushed(t)
	put(t, filepath.Join(dir, "policy.toml"), []byte(release))
	put(t, filepath.Join(dir, "root.json"), i.TrustedRoot(evidencetest.Spans{}))
	check := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(append([]string{"check", "--policy", filepath.Join(dir, "policy.toml"), "--trusted-root", filepath.Join(dir, "root.json")}, args...), &out, &errs)
		return code, out.String() + errs.String()
	}
	ref := host + "/team/tool:v1"
	if code, out := check(ref); code != 1 || !strings.Contains(out, "there is none") {
		t.Errorf("nothing attached: exit %d\n%s", code, out)
	}
	attach(t, ref, digest, i.Attest(about(t, digest, host+"/team/tool"), evidencetest.Leaf{Identity: "mallory@example.org"}).JSON())
	if code, out := check(ref); code != 1 || !strings.Contains(out, "identity differs") {
		t.Errorf("signed by a stranger: exit %d\n%s", code, out)
	}
	attach(t, ref, digest, i.Attest(about(t, "sha256:"+digit("9"), host+"/team/tool"), evidencetest.Leaf{}).JSON())
	if code, out := check(ref); code != 1 {
		t.Errorf("about another image: exit %d\n%s", code, out)
	}
	attach(t, ref, digest, i.Attest(about(t, digest, host+"/team/tool"), evidencetest.Leaf{}).JSON())
	for _, subject := range []string{ref, host + "/team/tool@" + digest} {
		if code, out := check(subject); code != 0 || !strings.Contains(out, digest[7:]) {
			t.Errorf("%s: exit %d\n%s", subject, code, out)
		}
	}
	for _, place := range []string{ref, host + "/team/tool"} {
		if code, out := check(digest, "--evidence", place); code != 0 {
			t.Errorf("by digest, evidence from %s: exit %d\n%s", place, code, out)
		}
	}
	if code, out := check(host + "/team/none:v1"); code != 3 && code != 1 {
		t.Errorf("no such image: exit %d\n%s", code, out)
	}
}

// TestVotesInRegistry: the policy names a repository in which auditors leave their verdicts; what lies there is found for
// each artefact, dissent too, and a repository out of reach was not searched.
func TestVotesInRegistry(t *testing.T) {
	t.Parallel()
	a := assemble(t)
	host, _, digest := pushed(t)
	ref := host + "/team/tool:v1"
	image := evidence.Resource{Name: host + "/team/tool", Digest: map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}}
	attach(t, ref, digest, a.sign("lab-a", a.statement(image)))
	attach(t, ref, digest, a.sign("lab-b", a.statement(image)))
	votes := func(place string) (int, string) {
		t.Helper()
		a.check(quorumPolicy("votes = [\"" + place + "\"]\n")) // writes the files
		code, out, errs := program("check", digest, "--policy", filepath.Join(a.dir, "policy.toml"), "--trusted-root", filepath.Join(a.dir, "root.json"))
		return code, out + errs
	}
	if code, out := votes(host + "/team/tool"); code != 0 || !strings.Contains(out, "quorum 2 of 2: lab-a, lab-b") || !strings.Contains(out, "none in "+host+"/team/tool") {
		t.Errorf("exit %d\n%s", code, out)
	}
	attach(t, ref, digest, a.sign("lab-c", a.statement(image, otherwise)))
	if code, out := votes(host + "/team/tool"); code != 1 || !strings.Contains(out, "dissent: lab-c found otherwise") {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out, errs := program("check", ref, "--policy", filepath.Join(a.dir, "policy.toml"), "--trusted-root", filepath.Join(a.dir, "root.json"))
	if code != 1 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out := votes("127.0.0.1:1/team/tool"); code == 0 || !strings.Contains(out, "dissent not searched") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
