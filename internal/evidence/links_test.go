package evidence_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestVerifierLinksNoClient keeps start-up cheap and the verifier offline: whoever only verifies links no client of a
// log, a certificate authority or a KMS, and none of the code that is generated for them.
func TestVerifierLinksNoClient(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "github.com/glassbuild/glassbuild/internal/evidence").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		for _, no := range []string{"github.com/go-openapi/", "github.com/sigstore/rekor/", "github.com/sigstore/sigstore-go/pkg/sign", "github.com/sigstore/sigstore-go/pkg/verify",
			"/oauthflow", "/signature/kms", "google.golang.org/grpc", "github.com/asaskevich/govalidator", "k8s.io/", "cloud.google.com/", "github.com/aws/", "github.com/Azure/"} {
			if strings.Contains(pkg, no) {
				t.Errorf("links %s", pkg)
			}
		}
	}
}

// TestProgramLinksNoGeneratedClient: what the generated clients of logs and authorities initialise would be paid for by every
// run of the program, whatever it is asked for.
func TestProgramLinksNoGeneratedClient(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "github.com/glassbuild/glassbuild/cmd/glassbuild").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		for _, no := range []string{"github.com/go-openapi/", "github.com/sigstore/rekor/", "github.com/asaskevich/govalidator", "google.golang.org/grpc", "k8s.io/"} {
			if strings.HasPrefix(pkg, no) {
				t.Errorf("links %s", pkg)
			}
		}
	}
}
