package report

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// The parts of SARIF 2.1.0 (OASIS) that a verdict fills: one run, one rule a check, one result for every check that did
// not hold and one for every changed function that is known by file and line.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool      `json:"tool"`
		Artifacts  []sarifFile    `json:"artifacts,omitempty"`
		Results    []sarifResult  `json:"results"`
		Properties map[string]any `json:"properties"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Help  sarifText `json:"help"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifFile struct {
		Location sarifArtifact     `json:"location"`
		Length   int64             `json:"length"`
		Hashes   map[string]string `json:"hashes"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Kind      string          `json:"kind"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// SARIF renders the verdict as SARIF 2.1.0 for code scanning. A check that could not be decided is of kind "review"
// with a warning, one that does not hold a failure with an error (sections 3.27.9 and 3.27.10).
func SARIF(v verdict.Verdict) ([]byte, error) {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "glassbuild", Version: v.Tool.Version, Rules: []sarifRule{}}},
		Results:    []sarifResult{},
		Properties: map[string]any{"result": v.Result, "match": v.Match, "summary": v.Summary, "policySha256": v.Policy.SHA256},
	}
	for i, r := range rebuilds(v) {
		if a := r.Account; a != nil {
			name := "read"
			if i > 0 {
				name += strconv.Itoa(i + 1)
			}
			run.Properties[name] = map[string]any{"source": len(a.Source), "of": a.Of, "opaque": len(a.Opaque), "generated": a.Generated, "vendored": a.Vendored, "proved": a.Proved}
		}
	}
	shipped := sarifArtifact{uri(v.Subject.Name)}
	if v.Subject.SHA256 != "" {
		run.Artifacts = []sarifFile{{shipped, v.Subject.Size, map[string]string{"sha-256": v.Subject.SHA256}}}
	}
	for i, c := range v.Checks {
		title := verdict.Title(c.ID)
		help := title + ". See docs/checks.md."
		if c.Hint != "" {
			help = title + ". " + c.Hint
		}
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{c.ID, sarifText{title}, sarifText{help}})
		r := sarifResult{RuleID: c.ID, RuleIndex: i, Kind: "fail", Level: "error", Message: sarifText{c.Text},
			Locations: []sarifLocation{{sarifPhysical{shipped, nil}}}}
		switch c.Status {
		case verdict.StatusPassed, verdict.StatusReported, verdict.StatusNotReached:
			continue
		case verdict.StatusInconclusive:
			r.Kind, r.Level = "review", "warning"
		}
		run.Results = append(run.Results, r)
		if c.ID == verdict.CheckMatch {
			run.Results = append(run.Results, changedFunctions(v, r)...)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}); err != nil {
		return nil, err
	}
	return escapeInvisible(b.Bytes()), nil
}

// changedFunctions gives one result for each region of a difference that is known by file and line.
func changedFunctions(v verdict.Verdict, like sarifResult) []sarifResult {
	var list []sarifResult
	if v.Comparison == nil {
		return nil
	}
	tree := namedSources(v)
	for _, m := range v.Comparison.Members {
		if m.Difference == nil {
			continue
		}
		for _, r := range m.Difference.Regions {
			file, line, ok := place(r)
			if !ok {
				continue
			}
			what := r.Text
			if what == "" {
				what = r.Status
			}
			like.Message = sarifText{printable(r.Name) + ": " + printable(what)}
			like.Locations = []sarifLocation{{sarifPhysical{sarifArtifact{uri(inTree(file, tree))}, &sarifRegion{line}}}}
			list = append(list, like)
		}
	}
	return list
}

// namedSources are the files of the commit that the rebuilt files say they were made from.
func namedSources(v verdict.Verdict) map[string]bool {
	names := make(map[string]bool)
	if v.Rebuild != nil {
		for _, o := range v.Rebuild.Origins {
			for _, list := range [][]verdict.Digest{o.Source, o.Package} {
				for _, f := range list {
					names[f.Name] = true
				}
			}
		}
	}
	return names
}

// inTree returns where in the repository a file lies that a compiler calls by the path of its module, as Go's does with -trimpath; every other name
// as it is. Names of other modules have a version, those of the standard library no dot in their first element.
func inTree(file string, tree map[string]bool) string {
	first, rest, ok := strings.Cut(file, "/")
	if !ok || tree[file] || !strings.Contains(first, ".") || strings.Contains(file, "@") {
		return file
	}
	if vendored := "vendor/" + file; tree[vendored] {
		return vendored
	}
	for ; ok; _, rest, ok = strings.Cut(rest, "/") {
		if tree[rest] {
			return rest
		}
	}
	return file
}

// place splits a region's "file:line".
func place(r verdict.Region) (string, int, bool) {
	at := r.Place
	if at == "" {
		at = r.RebuiltPlace
	}
	i := strings.LastIndexByte(at, ':')
	if i < 1 {
		return "", 0, false
	}
	line, err := strconv.Atoi(at[i+1:])
	return at[:i], line, err == nil && line > 0
}

// uri makes a relative reference of a name: everything but unreserved characters and slashes is encoded (RFC 3986), so that
// no name becomes a scheme or a host.
func uri(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(strings.TrimLeft(name, "/")) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}
