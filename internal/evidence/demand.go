package evidence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// Demand is what a policy wants a verified statement to say. An empty field demands nothing. A claim that stands only
// beside the statement (an annotation, a tag, a file name) never meets a demand.
type Demand struct {
	Repository string
	Commit     string // full id in lower-case hex
	Ref        string
	Builder    string // builder id
	BuildType  string
	Workflow   string // path of the workflow in the repository
	Trigger    string
	// Fields are exact values by address: "certificate.NAME" is a certificate extension, "predicate.A.B.0" a member of
	// the predicate, array elements by number. A name that holds dots stands as it is where it is the whole rest.
	Fields map[string]string
}

// Meets tells whether v says everything that is demanded; the error names the first field that it does not.
//
// A field is read from the predicate. Where the predicate is silent, what the certificate authority wrote into the
// certificate for the workflow that signed counts instead. For builds by a forge's workflow both speak of the same run,
// and must agree.
func (v *Verified) Meets(d Demand) error {
	if v == nil || len(v.signers) == 0 {
		return fmt.Errorf("nothing was verified")
	}
	p := &Provenance{}
	if v.statement != nil && v.statement.of(PredicateProvenanceV1, PredicateProvenanceV02) == nil {
		var err error
		if p, err = v.statement.Provenance(); err != nil {
			return err
		}
	}
	ext := v.extensions()
	config, _ := splitWorkflow(ext["build-config-uri"], ext["source-repository-uri"])
	for _, f := range []struct{ name, want, said, certified string }{
		{"repository", trimGit(d.Repository), p.Repository, trimGit(ext["source-repository-uri"])},
		{"commit", d.Commit, p.Commit, ext["source-repository-digest"]},
		{"ref", d.Ref, p.Ref, ext["source-repository-ref"]},
		{"builder", d.Builder, p.BuilderID, ext["build-signer-uri"]},
		{"build type", d.BuildType, p.BuildType, ""},
		{"workflow", d.Workflow, p.Workflow, config},
		{"trigger", d.Trigger, p.Trigger, ext["build-trigger"]},
	} {
		if f.want == "" {
			continue
		}
		if err := met(f.name, f.want, f.said, f.certified, p.byForge() && f.name != "builder"); err != nil {
			return err
		}
	}
	return v.fields(d.Fields, ext)
}

func met(name, want, said, certified string, sameRun bool) error {
	if said == "" {
		said = certified
	}
	switch {
	case said == "":
		return fmt.Errorf("%s: not in signed statement", name)
	case said != want:
		return fmt.Errorf("bound to other %s: %q, want %q", name, cut(said), want)
	case sameRun && certified != "" && certified != said:
		return fmt.Errorf("bound to other %s: the certificate says %q, the statement %q", name, cut(certified), cut(said))
	}
	return nil
}

// byForge tells whether the build was a workflow run of the forge whose authority issued the certificate.
func (p *Provenance) byForge() bool {
	return p.BuildType == buildGitHubWorkflow || p.BuildType == buildGitHubWorkflowOld || strings.HasPrefix(p.BuildType, "https://github.com/npm/cli/gha/")
}

// splitWorkflow returns path and ref of https://host/owner/repository/PATH@REF.
func splitWorkflow(uri, repository string) (path, ref string) {
	rest, ok := strings.CutPrefix(uri, repository+"/")
	if !ok || repository == "" {
		return "", ""
	}
	path, ref, _ = strings.Cut(rest, "@")
	return path, ref
}

// extensions are those of the one certificate that signed; several signers have none in common.
func (v *Verified) extensions() map[string]string {
	if len(v.signers) != 1 || v.signers[0].Certificate == nil {
		return nil
	}
	return v.signers[0].Certificate.Extensions
}

func (v *Verified) fields(want map[string]string, ext map[string]string) error {
	addresses := make([]string, 0, len(want))
	for a := range want {
		addresses = append(addresses, a)
	}
	slices.Sort(addresses)
	for _, a := range addresses {
		got, ok := v.field(a, ext)
		if !ok {
			return fmt.Errorf("%s: not in signed statement", a)
		}
		if got != want[a] {
			return fmt.Errorf("%s is %q, want %q", a, cut(got), want[a])
		}
	}
	return nil
}

// Field returns a value by its address, see Demand.
func (v *Verified) Field(address string) (string, bool) {
	if v == nil {
		return "", false
	}
	return v.field(address, v.extensions())
}

func (v *Verified) field(address string, ext map[string]string) (string, bool) {
	if name, ok := strings.CutPrefix(address, "certificate."); ok {
		value, ok := ext[name]
		return value, ok
	}
	path, ok := strings.CutPrefix(address, "predicate.")
	if !ok || v.statement == nil {
		return "", false
	}
	return lookup(v.statement.predicate, path)
}

func lookup(v strictjson.Value, path string) (string, bool) {
	for {
		switch v.Kind() {
		case "object":
			if m := v.At(path); !m.Missing() {
				return scalar(m)
			}
			name, rest, ok := strings.Cut(path, ".")
			if !ok {
				return "", false
			}
			v, path = v.At(name), rest
		case "array":
			number, rest, more := strings.Cut(path, ".")
			i, err := strconv.Atoi(number)
			list, _ := v.Elements()
			if err != nil || i < 0 || i >= len(list) || strconv.Itoa(i) != number {
				return "", false
			}
			if !more {
				return scalar(list[i])
			}
			v, path = list[i], rest
		default:
			return "", false
		}
	}
}

// scalar returns the text of a string, and numbers and truth values as they are written.
func scalar(v strictjson.Value) (string, bool) {
	switch v.Kind() {
	case "string":
		s, err := v.Text()
		return s, err == nil
	case "number", "bool":
		return string(v.Raw()), true
	}
	return "", false
}
