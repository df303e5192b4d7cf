package rebuild

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// Variation is everything that can differ from run to run, as it goes into the record.
type Variation struct {
	Factors    []string `json:"factors"` // what was varied, none for the first run
	Hostname   string   `json:"hostname"`
	Domain     string   `json:"domain"`
	User       string   `json:"user"`
	UID        int      `json:"uid"`
	GID        int      `json:"gid"`
	Home       string   `json:"home"`
	Umask      string   `json:"umask"`
	CPUs       int      `json:"cpus"`
	TimeZone   string   `json:"time-zone"`
	Locale     string   `json:"locale"`
	Language   string   `json:"language,omitempty"`
	Files      string   `json:"file-order"`  // order in which the source files were laid: by the export, or reversed
	Boot       int64    `json:"boot-offset"` // seconds by which the clock since boot was moved
	Source     string   `json:"source-path"`
	Noise      string   `json:"noise,omitempty"` // a variable of the environment that means nothing
	Addresses  string   `json:"addresses"`       // random or fixed
	Jobs       string   `json:"make-flags,omitempty"`
	Shell      string   `json:"shell"`                 // that runs scripts
	LoginShell string   `json:"login-shell,omitempty"` // what SHELL says
	Clock      string   `json:"wall-clock"`            // no namespace covers it; what was done instead, see Shim
	Outside    string   `json:"outside-path-length"`

	told *Shim // nil where the wall clock is the kernel's
}

const (
	randomAddresses = "random"
	fixedAddresses  = "fixed"
	noiseName       = "GLASSBUILD_NOISE"
	otherSource     = "/build/elsewhere/a-folder-with-a-much-longer-name/src"
)

// factor is one thing that can be varied. apply may leave it as it is where the build does not allow it.
type factor struct {
	name, what string
	usual      bool
	apply      func(v *Variation, run int, o *Outcome, r *recipe.Recipe)
}

// factors in the order in which they are told.
var factors = []factor{
	{"hostname", "the machine's name", true, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) {
		v.Hostname = "second-machine-" + strconv.Itoa(run+1)
	}},
	{"domain", "the machine's domain", true, func(v *Variation, _ int, _ *Outcome, _ *recipe.Recipe) { v.Domain = "elsewhere.test" }},
	{"user", "the user's and the group's name", true, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) { v.User = "somebody" + strconv.Itoa(run+1) }},
	{"ids", "the user's and the group's number", true, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) { v.UID, v.GID = 4200+run, 4300+run }},
	{"home", "the user's home", true, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) {
		v.Home = "/home/else/somebody" + strconv.Itoa(run+1)
	}},
	{"umask", "which modes new files do not get", true, func(v *Variation, _ int, _ *Outcome, _ *recipe.Recipe) { v.Umask = "0002" }},
	{"cpus", "the number of processors", true, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) { v.CPUs = max(1, runtime.NumCPU()-run) }},
	{"time-zone", "the time zone", true, func(v *Variation, _ int, _ *Outcome, _ *recipe.Recipe) { v.TimeZone = "GMT-14" }},
	{"locale", "locale and LANGUAGE", true, func(v *Variation, _ int, _ *Outcome, _ *recipe.Recipe) {
		v.Locale, v.Language = "fr_CH.UTF-8", "fr_CH:fr:de"
	}},
	{"file-order", "the order of files in their folders", true, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) {
		if run%2 == 1 {
			v.Files = "reversed"
		}
	}},
	{"boot", "the clocks since boot", true, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) { v.Boot = int64(run) * 400 * 24 * 3600 }},
	{"path", "the source's path and its length", false, func(v *Variation, _ int, _ *Outcome, r *recipe.Recipe) {
		if !namesSource(r) {
			v.Source = otherSource
		}
	}},
	{"noise", "a variable of the environment that means nothing", false, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) {
		v.Noise = strings.Repeat("noise ", 20+run)
	}},
	{"addresses", "the randomness of addresses in memory", false, func(v *Variation, _ int, _ *Outcome, _ *recipe.Recipe) { v.Addresses = fixedAddresses }},
	{"jobs", "how many jobs make runs at once", false, func(v *Variation, run int, _ *Outcome, _ *recipe.Recipe) { v.Jobs = "-j" + strconv.Itoa(run+2) }},
	{"shell", "the shell", false, func(v *Variation, _ int, o *Outcome, _ *recipe.Recipe) {
		v.LoginShell = "/bin/bash"
		if o.Builder != nil && holds(o.Builder, "/bin/bash", "/usr/bin/bash") {
			v.Shell = "/bin/bash"
		}
	}},
	// not among the usual ones: an honest test may know a certificate that runs out next year
	{"clock", "the wall clock", false, func(v *Variation, run int, o *Outcome, _ *recipe.Recipe) { o.tell(v, int64(run)*aheadSeconds, false) }},
}

// Factor is one thing that can be varied.
type Factor struct{ Name, What string }

// Factors lists what can be varied.
func Factors() []Factor {
	var list []Factor
	for _, f := range factors {
		list = append(list, Factor{f.name, f.what})
	}
	return list
}

// ParseVary reads what to vary: "usual", which no honest recipe minds, "all", "none", or names of factors.
func ParseVary(text string) ([]string, error) {
	var list []string
	for _, f := range factors {
		if text == "all" || f.usual && (text == "usual" || text == "") {
			list = append(list, f.name)
		}
	}
	if list != nil || text == "none" {
		return list, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		if !slices.ContainsFunc(factors, func(f factor) bool { return f.name == name }) {
			var all []string
			for _, f := range factors {
				all = append(all, f.name)
			}
			return nil, fault.Usagef(fault.Quote(name), "cannot be varied").WithHint("all, usual, none, or some of %s", strings.Join(all, ","))
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}

// variation is what a run looks like: the first is what a build machine usually looks like, the others are as unlike it as
// the named factors can make them.
func (o *Outcome) variation(req Request, run int) Variation {
	v := Variation{
		Factors: []string{}, Hostname: "builder", Domain: "localdomain", User: "builder", UID: 1000, GID: 1000, Home: "/home/builder", Umask: "0022",
		CPUs: runtime.NumCPU(), TimeZone: "UTC", Locale: "C.UTF-8", Files: "as exported", Source: recipe.SourceDir, Addresses: randomAddresses, Shell: "/bin/sh",
		Clock: clockReal,
	}
	if req.still != 0 {
		o.tell(&v, req.still, true)
	}
	if run == 0 {
		return v
	}
	for _, f := range factors {
		if slices.Contains(req.Vary, f.name) {
			f.apply(&v, run, o, req.Recipe)
			v.Factors = append(v.Factors, f.name)
		}
	}
	return v
}

// namesSource tells whether a recipe names the source's path: it cannot lie elsewhere then.
func namesSource(r *recipe.Recipe) bool {
	names := func(s string) bool { return strings.Contains(s, recipe.SourceDir) }
	env := func(m map[string]string) bool {
		for _, v := range m {
			if names(v) {
				return true
			}
		}
		return false
	}
	return env(r.Env) || slices.ContainsFunc(r.Steps, func(s recipe.Step) bool {
		return names(s.Script) || slices.ContainsFunc(s.Run, names) || env(s.Env)
	})
}

// holds tells whether a builder may hold one of some files.
func holds(root *builder.Root, names ...string) bool {
	for _, l := range root.Layers {
		for _, p := range names {
			rel, ok := strings.CutPrefix(p, strings.TrimSuffix(l.Target, "/"))
			if ok && mayHold(l.Dir, rel) {
				return true
			}
		}
	}
	return false
}
