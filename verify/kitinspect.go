package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/trustroot"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// KitRequest says which kit is looked at, and with whose eyes.
type KitRequest struct {
	Kit         string // file or image
	PolicyFile  string // whose demands are held against the kit; "" is the built-in policy
	TrustedRoot string // file; "" is the one that UpdateTrust stored
	DataDir     string
	CacheDir    string
	Offline     bool
}

// KitReport says what is in a kit, what that is enough for, and what is missing for which check.
type KitReport struct {
	Digest   string
	Size     int64
	Document *kit.Document
	Holds    []string // what is in it
	Enough   []string // what can be judged from it
	Missing  []Missing
	Ignored  []string // what is in it and counts for nothing
	Signed   int      // signatures that came with it: who packed it says so, and nothing more
}

// Missing is something that is not in a kit.
type Missing struct {
	What   string
	Checks string // that cannot be judged without it
	Hint   string
}

// InspectKit reads what a kit says of itself, and the evidence in it. It verifies nothing.
func InspectKit(ctx context.Context, req KitRequest) (*KitReport, error) {
	pol := policy.Default()
	if req.PolicyFile != "" {
		p, err := policy.Load(req.PolicyFile, time.Now())
		if err != nil {
			return nil, err
		}
		pol = p
	}
	k, _, blobs, done, err := loadKit(ctx, req.Kit, req.CacheDir, req.Offline)
	if err != nil {
		return nil, err
	}
	defer done()
	r := &KitReport{Digest: k.Digest, Size: k.Size, Document: k.Document, Ignored: k.Ignored, Signed: len(k.Bundles)}
	r.source(pol)
	r.builder()
	r.inputs()
	r.shipped()
	return r, r.evidence(req, pol, blobs)
}

// loadKit reads a kit whole into a private folder, which done removes.
func loadKit(ctx context.Context, where, cache string, offline bool) (k *kit.Kit, m *oci.Manifest, blobs *store.Store, done func(), err error) {
	client, err := gomod.NewRemote(offline)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	place, err := kit.At(where, oci.Options{Remote: client})
	if err != nil {
		return nil, nil, nil, nil, err
	}
	defer place.Close()
	if cache == "" {
		if cache, err = store.DefaultDir(); err != nil {
			return nil, nil, nil, nil, err
		}
	}
	base, err := store.Open(cache)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	run, err := base.NewRun()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if blobs, err = store.Open(filepath.Join(run.Path(), "store")); err == nil {
		if k, err = kit.Open(ctx, place, blobs); err == nil {
			_, m, err = kit.Read(ctx, place)
		}
	}
	if err != nil {
		run.Close()
		return nil, nil, nil, nil, err
	}
	return k, m, blobs, func() { run.Close() }, nil
}

func (r *KitReport) holds(format string, args ...any) {
	r.Holds = append(r.Holds, fmt.Sprintf(format, args...))
}

func (r *KitReport) enough(what, checks string) { r.Enough = append(r.Enough, what+": "+checks) }

func (r *KitReport) missing(what, checks, hint string) {
	r.Missing = append(r.Missing, Missing{what, checks, hint})
}

func (r *KitReport) source(p *policy.Policy) {
	d := r.Document
	if len(d.Sources) == 0 {
		r.missing("no repository", verdict.CheckObjects+" and every check after it", "pack the kit anew")
		return
	}
	refs := len(d.Sources[0].Refs)
	r.holds("repository %s, %d git objects, %d branches and tags", fault.Quote(d.Repository), d.Sources[0].Objects, refs)
	for _, s := range d.Sources[1:] {
		r.holds("submodule %s, %d git objects", fault.Quote(strings.TrimPrefix(s.Module, "modules/")), s.Objects)
	}
	if n := len(d.Of(kit.Large)); n > 0 {
		r.holds("%d large files of git LFS", n)
	}
	r.enough("the commit, its tree, and what leads to it", strings.Join([]string{verdict.CheckObjects, verdict.CheckReachable, verdict.CheckTree, verdict.CheckSignature}, ", "))
	looksBack := p.Source.Since != "" || len(p.Source.Paths) > 0
	switch {
	case d.History:
		r.enough("the history that the packer's policy asked for", verdict.CheckRange+", "+verdict.CheckPaths)
	case looksBack:
		r.missing("no history behind the commit, and the policy looks back", verdict.CheckRange+", "+verdict.CheckPaths, "glassbuild kit pack --policy FILE, with a policy that looks back as far")
	default:
		r.missing("no history behind the commit", "only policies with since or path rules under [source] need it", "")
	}
}

var toolchainZip = pattern.New(`^go/golang\.org/toolchain/@v/(v0\.0\.1-go([0-9][0-9a-z.]*)\.([a-z0-9]+)-([a-z0-9]+))\.zip$`)

// builder names what builders can be made of it.
func (r *KitReport) builder() {
	const checks = verdict.CheckBuilder + ", " + verdict.CheckVouched
	found := false
	for _, f := range r.Document.Of(kit.Fetched) {
		m := toolchainZip.FindStringSubmatch(f.Name)
		if m == nil {
			continue
		}
		found = true
		r.holds("Go toolchain %s for %s/%s (%s)", m[2], m[3], m[4], kit.Bytes(f.Size))
		if r.recorded("golang.org/toolchain@" + m[1]) {
			r.enough("Go toolchain "+m[2]+" with its record of the checksum database", checks)
		} else {
			r.missing("no record of the checksum database for Go toolchain "+m[2], checks, "pack the kit anew")
		}
	}
	debs, release, images := 0, false, 0
	for _, f := range r.Document.Of(kit.Fetched) {
		release = release || strings.HasPrefix(f.Name, "debian/") && strings.HasSuffix(f.Name, "/InRelease")
	}
	for _, f := range r.Document.Of(kit.Part) {
		switch {
		case strings.HasSuffix(f.Name, "/InRelease"):
			release = true
		case strings.HasPrefix(f.Name, "debian "):
			debs++
		case f.Name == "image manifest":
			images++
		}
	}
	switch {
	case debs > 0 && release:
		r.holds("%d Debian packages with the archive's signed Release file", debs)
		r.enough("Debian packages, by the archive keys of this machine and of your policy", checks)
	case debs > 0:
		r.holds("%d Debian packages", debs)
		r.missing("no signed Release file of the archive", checks, "pack the kit anew")
	}
	if images > 0 {
		r.holds("%d image to build in", images)
		r.enough("an image, which your policy vouches for by its digest", checks)
	}
	if !found && debs == 0 && images == 0 {
		r.missing("nothing that a builder is made of", checks, "a recipe that builds on this machine's own /usr needs nothing, and nobody vouches for it")
	}
}

// recorded tells whether a record of a checksum database is there.
func (r *KitReport) recorded(module string) bool {
	for _, f := range r.Document.Of(kit.Fetched) {
		if strings.HasPrefix(f.Name, "go/sumdb/") && strings.HasSuffix(f.Name, "/lookup/"+module) {
			return true
		}
	}
	return false
}

func (r *KitReport) inputs() {
	modules, tarballs := 0, 0
	var unrecorded []string
	for _, f := range r.Document.Of(kit.Fetched) {
		path, version, ok := strings.Cut(strings.TrimPrefix(f.Name, "go/"), "/@v/")
		switch {
		case toolchainZip.MatchString(f.Name):
		case ok && strings.HasSuffix(version, ".zip"):
			modules++
			if m := path + "@" + strings.TrimSuffix(version, ".zip"); !r.recorded(m) {
				unrecorded = append(unrecorded, fault.Quote(m))
			}
		case strings.HasPrefix(f.Name, "npm/") && strings.HasSuffix(f.Name, ".tgz"):
			tarballs++
		}
	}
	if modules > 0 {
		r.holds("%d Go modules", modules)
	}
	if tarballs > 0 {
		r.holds("%d npm packages", tarballs)
	}
	if len(unrecorded) > 0 {
		r.missing("no record of the checksum database for "+strings.Join(unrecorded[:min(len(unrecorded), 5)], ", "), verdict.CheckFetched,
			"a private module needs none where your GOPRIVATE names it")
	} else {
		r.enough("what the build fetches", verdict.CheckFetched+", "+verdict.CheckVendored)
	}
}

func (r *KitReport) shipped() {
	for _, f := range r.Document.Of(kit.Artefact) {
		r.holds("artefact %s (%s), sha256:%s", fault.Quote(f.Name), kit.Bytes(f.Size), f.SHA256)
	}
	if len(r.Document.Of(kit.Artefact)) == 0 {
		r.missing("no artefact", verdict.CheckMatch, "name the file that you were given: glassbuild verify FILE --kit KIT")
	} else if len(r.Document.Release) > 0 {
		r.enough("the release, unless you were given another one", verdict.CheckListed+", "+verdict.CheckAccounted)
	} else {
		r.enough("the artefact, unless you were given another one", verdict.CheckMatch)
	}
	for _, f := range r.Document.Of(kit.Recipe) {
		r.holds("recipe %s, which is not in the commit: it counts only if you name it with --recipe", fault.Quote(f.Name))
	}
}

// evidence looks at what was signed, and whether it could be judged here without a network.
func (r *KitReport) evidence(req KitRequest, p *policy.Policy, blobs *store.Store) error {
	keyless, keys := 0, 0
	for _, f := range r.Document.Of(kit.Evidence) {
		if certified(blobs, f) {
			keyless++
		} else {
			keys++
		}
		r.holds("evidence %s", fault.Quote(f.Name))
	}
	const checks = "provenance.*, quorum.*"
	switch {
	case keyless+keys == 0 && (p.Provenance != nil || p.Quorum != nil):
		r.missing("no signed evidence, and the policy demands some", checks, "--evidence brings it to verify")
	case keyless+keys == 0:
		r.missing("no signed evidence", "only policies with [provenance] or [quorum] need it", "")
	case keys > 0:
		r.enough(fmt.Sprintf("%d statements that are judged by the keys of your policy", keys), checks)
	}
	if keyless == 0 {
		return nil
	}
	path := req.TrustedRoot
	if path == "" {
		dir, err := dataDir(req.DataDir)
		if err != nil {
			return err
		}
		path = filepath.Join(dir, trustroot.StoredRoot)
	}
	root, err := readRoots(path)
	if req.TrustedRoot == "" && errors.Is(err, fs.ErrNotExist) {
		r.missing("no trusted root of yours", fmt.Sprintf("%s: keyless provenance cannot be judged offline (%d statements)", checks, keyless),
			"glassbuild trust update stores one; a trusted root never comes from a kit")
		return nil
	}
	if err != nil {
		return err
	}
	var doc map[string][]json.RawMessage
	_ = json.Unmarshal(root, &doc) // members of other shapes are none of these
	for _, need := range []struct{ member, what string }{{"certificateAuthorities", "certificate authority"}, {"timestampAuthorities", "timestamp authority certificate"}, {"tlogs", "transparency log"}} {
		if len(doc[need.member]) == 0 {
			r.missing("no "+need.what+" in your trusted root", checks+": keyless provenance that rests on one cannot be judged offline", "")
		}
	}
	r.enough(fmt.Sprintf("%d keyless statements, judged by your trusted root", keyless), checks)
	return nil
}

// certified tells whether evidence was signed with a certificate.
func certified(blobs *store.Store, f kit.File) bool {
	r, err := blobs.OpenBlob(f.SHA256)
	if err != nil {
		return false
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxTrustedRoots))
	if err != nil {
		return false
	}
	var b struct {
		Material map[string]json.RawMessage `json:"verificationMaterial"`
	}
	if json.Unmarshal(data, &b) != nil {
		return false
	}
	return b.Material["certificate"] != nil || b.Material["x509CertificateChain"] != nil
}

// UnpackKit writes the files of a kit that have a name of their own into a folder: artefacts, evidence, recipes, locks.
func UnpackKit(ctx context.Context, req KitRequest, dir string) ([]string, error) {
	if err := emptyFolder(dir); err != nil {
		return nil, err
	}
	k, _, blobs, done, err := loadKit(ctx, req.Kit, req.CacheDir, req.Offline)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.Usagef(fault.Quote(dir), "cannot be written: %w", bare(err))
	}
	var names []string
	for _, kind := range []string{kit.Artefact, kit.Evidence, kit.Recipe, kit.Lock} {
		list := k.Document.Of(kind)
		if err := layFiles(dir, list, blobs); err != nil {
			return nil, err
		}
		for _, f := range list {
			names = append(names, f.Name)
		}
	}
	return names, nil
}
