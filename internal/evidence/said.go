package evidence

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// Said is what verified evidence says of a build, by the names that policies use: repository, commit, ref, builder,
// build-type, workflow, trigger; and result, where the statement is itself a judgement. What stands only beside the
// statement (an annotation, a tag, a file name) is not said.
type Said struct {
	Values    map[string]string
	Conflicts map[string]string // where certificate and statement speak of the same run and disagree, by the name of the claim
}

// Said reads the claims. A claim is read from the predicate. Where the predicate is silent, what the certificate
// authority wrote into the certificate for the workflow that signed counts instead. For builds by a forge's workflow
// both speak of the same run, and must agree.
func (v *Verified) Said() (Said, error) {
	out := Said{Values: map[string]string{}}
	if v == nil || len(v.signers) == 0 {
		return out, fmt.Errorf("nothing was verified")
	}
	p := &Provenance{}
	if v.statement != nil && v.statement.of(PredicateProvenanceV1, PredicateProvenanceV02) == nil {
		var err error
		if p, err = v.statement.Provenance(); err != nil {
			return out, err
		}
	}
	ext := v.extensions()
	config, _ := splitWorkflow(ext["build-config-uri"], ext["source-repository-uri"])
	for _, f := range []struct{ name, said, certified string }{
		{"repository", p.Repository, trimGit(ext["source-repository-uri"])},
		{"commit", p.Commit, ext["source-repository-digest"]},
		{"ref", p.Ref, ext["source-repository-ref"]},
		{"builder", p.BuilderID, ext["build-signer-uri"]},
		{"build-type", p.BuildType, ""},
		{"workflow", p.Workflow, config},
		{"trigger", p.Trigger, ext["build-trigger"]},
	} {
		if p.byForge() && f.name != "builder" && f.said != "" && f.certified != "" && f.said != f.certified {
			if out.Conflicts == nil {
				out.Conflicts = map[string]string{}
			}
			out.Conflicts[f.name] = fmt.Sprintf("bound to other %s: the certificate says %q, the statement %q", f.name, cut(f.certified), cut(f.said))
		}
		if f.said == "" {
			f.said = f.certified
		}
		if f.said != "" {
			out.Values[f.name] = f.said
		}
	}
	return out, v.judged(out.Values)
}

// judged adds the result of a statement that is itself a judgement.
func (v *Verified) judged(values map[string]string) error {
	if v.statement == nil {
		return nil
	}
	switch v.statement.PredicateType {
	case PredicateSummary:
		s, err := v.statement.Summary()
		if err != nil {
			return err
		}
		values["result"] = s.Result
	case PredicateTestResult:
		t, err := v.statement.TestResult()
		if err != nil {
			return err
		}
		values["result"] = t.Result
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

// Field returns a value by its address: "certificate.NAME" is a certificate extension, "predicate.A.B.0" a member of the
// predicate, array elements by number. A name that holds dots stands as it is where it is the whole rest.
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
