package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/verify"
)

// used is what a process cost.
type used struct {
	cpu time.Duration
	rss int64 // KiB
}

// launcher starts what its arguments say and prints what that cost. A process starts with the memory of whoever started it
// in its account, so that a test cannot measure a small one itself.
const launcher = `package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	null, _ := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	p, err := os.StartProcess(os.Args[1], os.Args[1:], &os.ProcAttr{Env: os.Environ(), Files: []*os.File{null, null, null}})
	if err != nil {
		panic(err)
	}
	s, err := p.Wait()
	if err != nil || !s.Success() {
		panic(fmt.Sprint(s, err))
	}
	fmt.Println(int64(s.UserTime()+s.SystemTime()), s.SysUsage().(*syscall.Rusage).Maxrss)
}
`

func cost(t *testing.T, launch string, argv []string) used {
	t.Helper()
	out, err := exec.Command(launch, argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	var u used
	if _, err := fmt.Sscan(string(out), (*int64)(&u.cpu), &u.rss); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return u
}

func middle(list []used) used {
	cpu, rss := []time.Duration{}, []int64{}
	for _, u := range list {
		cpu, rss = append(cpu, u.cpu), append(rss, u.rss)
	}
	slices.Sort(cpu)
	slices.Sort(rss)
	return used{cpu[len(cpu)/2], rss[len(rss)/2]}
}

const benchPolicy = `format = 1
[[principal]]
name = "release"
identity = "https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/*"
issuer = "` + evidencetest.Issuer + `"
[provenance]
signed-by = "release"
types = ["https://example.org/any"]
`

func keyless(i *evidencetest.Instance, content []byte) []byte {
	b := i.Attest(evidencetest.Statement("tool", content, "https://example.org/any", map[string]any{}), evidencetest.Leaf{})
	b.Stamps = nil
	return b.JSON()
}

// TestBenchCheck prints what a check costs: as a process beside an empty one (and cosign, where COSIGN names it), and of
// many bundles in one process beside the bare cost of their signatures.
func TestBenchCheck(t *testing.T) {
	if os.Getenv("GLASSBUILD_BENCH") == "" {
		t.Skip("GLASSBUILD_BENCH is not set")
	}
	i := evidencetest.New(t, "bench")
	i.Large("bench")
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policy, root := write("policy.toml", []byte(benchPolicy)), write("root.json", i.TrustedRoot(evidencetest.Spans{}))
	asProcess(t, i, dir, policy, root, write)
	inProcess(t, i, dir, policy, root)
}

func asProcess(t *testing.T, i *evidencetest.Instance, dir, policy, root string, write func(string, []byte) string) {
	t.Helper()
	content := []byte("the tool\n")
	tool := write("tool", content)
	bundle := write("tool.sigstore.json", keyless(i, content))
	build := func(out, pkg string) string {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, out), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return filepath.Join(dir, out)
	}
	empty := build("empty", write("empty.go", []byte("package main\nfunc main() {}\n")))
	launch := build("launch", write("launch.go", []byte(launcher)))
	program := build("glassbuild", "../cmd/glassbuild")
	if st, err := os.Stat(program); err == nil {
		t.Logf("%-46s %8.1f MB", "the program, stripped", float64(st.Size())/1e6)
	}
	rows := map[string][]string{"empty Go program": {empty}, "glassbuild --version": {program, "--version"},
		"glassbuild check, one keyless bundle": {program, "check", tool, "--policy", policy, "--trusted-root", root}}
	if cosign := os.Getenv("COSIGN"); cosign != "" {
		rows["cosign verify-blob-attestation"] = []string{cosign, "verify-blob-attestation", "--bundle", bundle, "--trusted-root", root, "--type", "https://example.org/any",
			"--certificate-identity", evidencetest.Identity, "--certificate-oidc-issuer", evidencetest.Issuer, tool}
	}
	all := map[string][]used{}
	for range 15 {
		for name, argv := range rows {
			all[name] = append(all[name], cost(t, launch, argv))
		}
	}
	for _, name := range []string{"empty Go program", "glassbuild --version", "glassbuild check, one keyless bundle", "cosign verify-blob-attestation"} {
		if list := all[name]; list != nil {
			m := middle(list)
			t.Logf("%-46s %8.1f ms CPU %8.1f MiB", name, float64(m.cpu.Microseconds())/1e3, float64(m.rss)/1024)
		}
	}
}

func inProcess(t *testing.T, i *evidencetest.Instance, dir, policy, root string) {
	t.Helper()
	const many = 10_000
	evidence := filepath.Join(dir, "evidence")
	if err := os.Mkdir(evidence, 0o700); err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for n := range many {
		content := fmt.Appendf(nil, "tool %d", n)
		fmt.Fprintf(&list, "%s  tool\n", evidencetest.SHA256(content))
		if err := os.WriteFile(filepath.Join(evidence, fmt.Sprintf("%05d.sigstore.json", n)), keyless(i, content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bare := bareSignatures(t)
	for _, n := range []int{many / 10, many} {
		lines := strings.Join(strings.SplitAfter(list.String(), "\n")[:n], "")
		var ratios, cpus, walls []float64
		for range 3 {
			began := processTime(t)
			for range n / 10 {
				bare()
			}
			floor := (processTime(t) - began) * 10
			runtime.GC()
			began = processTime(t)
			wall := time.Now()
			tally, err := verify.Check(t.Context(), verify.CheckRequest{Subjects: []string{"-"}, List: strings.NewReader(lines), PolicyFile: policy, TrustedRoot: root, Evidence: []string{evidence}},
				func(verify.Verdict) error { return nil })
			if err != nil || tally.Passed != n {
				t.Fatalf("%+v, %v", tally, err)
			}
			spent := processTime(t) - began
			ratios, cpus, walls = append(ratios, float64(spent)/float64(floor)), append(cpus, spent.Seconds()), append(walls, time.Since(wall).Seconds())
		}
		slices.Sort(ratios)
		slices.Sort(cpus)
		slices.Sort(walls)
		t.Logf("%-46s %8.2f s CPU, %.2f s wall, %.2f × bare signatures, peak %d MiB", fmt.Sprintf("%d digests, %d bundles", n, many), cpus[1], walls[1], ratios[1], peak(t)>>10)
	}
}

func processTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// peak is the greatest resident size of this process in KiB.
func peak(t *testing.T) int64 {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return r.Maxrss
}

// bareSignatures verifies one signature by P-384, the certificate's, and four by P-256: payload, SCT, and of the log entry
// promise and checkpoint.
func bareSignatures(t *testing.T) func() {
	t.Helper()
	key := func(c elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	large, small := key(elliptic.P384()), key(elliptic.P256())
	sum384, sum256 := sha512.Sum384([]byte("x")), sha256.Sum256([]byte("x"))
	sig384, err := ecdsa.SignASN1(rand.Reader, large, sum384[:])
	if err != nil {
		t.Fatal(err)
	}
	sig256, err := ecdsa.SignASN1(rand.Reader, small, sum256[:])
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		ok := ecdsa.VerifyASN1(&large.PublicKey, sum384[:], sig384)
		for range 4 {
			ok = ecdsa.VerifyASN1(&small.PublicKey, sum256[:], sig256) && ok
		}
		if !ok {
			t.Fatal("a signature does not verify")
		}
	}
}
