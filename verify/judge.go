package verify

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// judgeSignature holds one signature of the repository against the policy's principals. The claimed time is the object's own.
func (r *run) judgeSignature(payload, sig []byte, claimed int64) verdict.Signature {
	res := signature.Verify(payload, sig, signature.Options{Keys: r.policy.Trust, Namespace: "git", SignedAt: time.Unix(claimed, 0), Now: r.now, Cache: r.cache()})
	return verdict.Signature{Status: string(res.Status), Kind: string(res.Kind), Signer: res.Signer, Platform: res.Platform, Key: res.Key, Detail: res.Detail}
}

func (r *run) tagFact(t source.Tag) verdict.Tag {
	f := verdict.Tag{Name: t.Name, Object: t.Object, Annotated: t.Annotated}
	if t.Problem != "" {
		f.Signature = verdict.Signature{Status: string(signature.StatusBad), Detail: t.Problem}
		return f
	}
	f.Signature = r.judgeSignature(t.SignedPayload, t.Signature, t.Tagger.When)
	return f
}

// classify says of the exported files which a person cannot read, and which were generated or vendored (F19).
func (r *run) classify(tree *source.Tree, dir string) error {
	s := r.facts.Source
	for _, e := range tree.Files {
		if e.Mode == gitLink {
			continue
		}
		if vendoredPath(e.Path) {
			s.Vendored++
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(e.Path)))
		if err != nil {
			return fault.Inconclusivef(fault.Quote(e.Path), "%w", bare(err))
		}
		class, err := artifact.Classify(f, e.Size)
		generated := err == nil && !class.Opaque() && isGenerated(f)
		f.Close()
		if err != nil {
			return err
		}
		if generated {
			s.Generated++
		}
		if class.Opaque() {
			s.Opaque = append(s.Opaque, verdict.Opaque{Path: e.Path, Kind: string(class), Size: e.Size, SHA256: e.SHA256})
		}
	}
	return nil
}

// vendoredPath tells whether a file is a copy of somebody else's source, by where it lies.
func vendoredPath(p string) bool {
	for _, dir := range strings.Split(path.Dir(p), "/") {
		switch dir {
		case "vendor", "node_modules", "third_party":
			return true
		}
	}
	return false
}

// isGenerated looks for the marker that generators leave near the top (https://go.dev/s/generatedcode, and its kin).
func isGenerated(f *os.File) bool {
	head := make([]byte, 2048)
	n, _ := f.ReadAt(head, 0)
	for line := range strings.Lines(string(head[:n])) {
		if strings.Contains(line, "DO NOT EDIT") || strings.Contains(line, "@generated") {
			return true
		}
	}
	return false
}

// newRemote makes the only dialer, with the plain-http hosts of the user's own Go configuration.
func newRemote(offline bool) (*remote.Client, error) {
	opts := remote.Options{Offline: offline, Netrc: remote.DefaultNetrc()}
	if env, err := gomod.LoadEnv(); err == nil {
		opts.PlainHTTP = env.PlainHTTP()
	}
	return remote.New(opts)
}

func readAtMost(r io.Reader, n int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, n)) }
