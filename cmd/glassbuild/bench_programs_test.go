package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Sizes of the generated programs: about 140 MB of Go with symbols, and 55 MB of C++ with debug data.
const (
	goPackages, goFunctions = 102, 800
	cppUnits, cppFunctions  = 13, 20
)

// goFunction is one of many that do about the same with other strings, numbers and types, as generated clients of a large service do.
const goFunction = `
type T%[1]d struct {
	Name  string
	Count int
	Next  *T%[1]d
	Index map[string][]int%[3]d
}

func (t *T%[1]d) Run(in []string) (map[string]int, error) {
	out := make(map[string]int, len(in)+%[4]d)
	for i, s := range in {
		switch {
		case strings.HasPrefix(s, "prefix %[2]d"):
			out[s] += i * %[5]d
		case strings.Contains(s, "part %[6]d"):
			return nil, fmt.Errorf("value %%q of %[2]d at %%d: %%w", s, i, errors.New("reason %[2]d"))
		case len(s) > %[7]d:
			t.Index[s] = append(t.Index[s], int%[3]d(i+%[4]d))
			sort.Strings(in)
		default:
			t.Count += len(s) ^ %[2]d
		}
	}
	if t.Next != nil && t.Count > %[7]d {
		return t.Next.Run(in[:len(in)/2])
	}
	return out, nil
}
`

// largeGo writes a module of many packages, and returns the file in which changeGo changes a function and a string.
func (b *diffBench) largeGo(dir string) string {
	b.t.Helper()
	var imports, calls strings.Builder
	for p := range goPackages {
		var s, all strings.Builder
		fmt.Fprintf(&s, "package p%d\n\nimport (\n\t\"errors\"\n\t\"fmt\"\n\t\"sort\"\n\t\"strings\"\n)\n", p)
		for f := range goFunctions {
			n := p*goFunctions + f
			fmt.Fprintf(&s, goFunction, f, n, 8<<(n%4), n%97, n%1009+3, n*7, n%251)
			fmt.Fprintf(&all, "\tif m, err := (&T%d{}).Run(in); err == nil {\n\t\tn += len(m)\n\t}\n", f)
		}
		fmt.Fprintf(&s, "\nfunc All(in []string) (n int) {\n%s\treturn n\n}\n", all.String())
		b.write(filepath.Join(dir, fmt.Sprintf("p%d/p.go", p)), s.String())
		fmt.Fprintf(&imports, "\t\"large/p%d\"\n", p)
		fmt.Fprintf(&calls, "\tn += p%d.All(os.Args)\n", p)
	}
	b.write(filepath.Join(dir, "go.mod"), "module large\n\ngo 1.24\n")
	b.write(filepath.Join(dir, "main.go"), fmt.Sprintf("package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n%s)\n\nfunc main() {\n\tn := 0\n%s\tfmt.Println(n)\n}\n", imports.String(), calls.String()))
	return filepath.Join(dir, fmt.Sprintf("p%d/p.go", goPackages/2))
}

// change edits one function and one string of a file.
func (b *diffBench) change(file string, pairs ...string) {
	b.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			b.t.Fatalf("%q is not in %s", pairs[i], file)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	b.write(file, text)
}

func (b *diffBench) write(file, text string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *diffBench) run(dir string, argv ...string) {
	b.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Errorf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
}

// largeGoPair is a program of 140 MB, and the same with one function and one string changed.
func (b *diffBench) largeGoPair() (shipped, rebuilt string) {
	dir := filepath.Join(b.dir, "large")
	file := b.largeGo(dir)
	shipped, rebuilt = filepath.Join(b.dir, "huge-a"), filepath.Join(b.dir, "huge-b")
	b.run(dir, "go", "build", "-trimpath", "-buildvcs=false", "-o", rebuilt, ".")
	n := goPackages/2*goFunctions + 123
	b.change(file, fmt.Sprintf("t.Count += len(s) ^ %d\n", n), fmt.Sprintf("t.Count -= 3*len(s) ^ %d\n", n), fmt.Sprintf("reason %d", n+5), fmt.Sprintf("season %d", n+5))
	b.run(dir, "go", "build", "-trimpath", "-buildvcs=false", "-o", shipped, ".")
	return shipped, rebuilt
}

// cppFunction instantiates the containers of the standard library with a type of its own.
const cppFunction = `
struct S%[1]d { std::string name; int v; double w; std::vector<int> list; bool operator<(const S%[1]d& o) const { return v < o.v; } };
int run%[1]d(const std::vector<std::string>& in) {
  std::map<std::string, S%[1]d> m; std::vector<S%[1]d> all;
  for (auto& s : in) { auto& e = m[s + "key %[1]d"]; e.v += %[2]d; e.list.push_back(%[1]d); all.push_back(e); }
  std::sort(all.begin(), all.end());
  std::function<int(int)> f = [&](int x) { return x + (int)all.size() * %[3]d; };
  return f(%[1]d) + (int)m.size();
}
`

// largeCppPair is a C++ program of more than 50 MB with debug data, and the same with one function and one string changed.
func (b *diffBench) largeCppPair() (shipped, rebuilt string, ok bool) {
	if _, err := exec.LookPath("g++"); err != nil {
		b.t.Log("g++ is not at hand: the pair in C++ is left out")
		return "", "", false
	}
	dir := filepath.Join(b.dir, "cpp")
	var declared, calls strings.Builder
	var objects []string
	var group sync.WaitGroup
	free := make(chan bool, 2)
	compile := func(unit string) {
		group.Go(func() {
			free <- true
			defer func() { <-free }()
			b.run(dir, "g++", "-g", "-O2", "-c", unit+".cc", "-o", unit+".o")
		})
		objects = append(objects, unit+".o")
	}
	for u := range cppUnits {
		var s, all strings.Builder
		s.WriteString("#include <map>\n#include <string>\n#include <vector>\n#include <algorithm>\n#include <functional>\n")
		for i := range cppFunctions {
			n := u*cppFunctions + i
			fmt.Fprintf(&s, cppFunction, n, n%1013, n%97+1)
			fmt.Fprintf(&all, "n += run%d(in);\n", n)
		}
		fmt.Fprintf(&s, "int unit%d(const std::vector<std::string>& in) { int n = 0;\n%sreturn n; }\n", u, all.String())
		b.write(filepath.Join(dir, fmt.Sprintf("u%d.cc", u)), s.String())
		fmt.Fprintf(&declared, "int unit%d(const std::vector<std::string>&);\n", u)
		fmt.Fprintf(&calls, "n += unit%d(in);\n", u)
		compile(fmt.Sprintf("u%d", u))
	}
	b.write(filepath.Join(dir, "main.cc"), "#include <string>\n#include <vector>\n"+declared.String()+"int main(int c, char** v) { std::vector<std::string> in(v, v + c); int n = 0;\n"+calls.String()+"return n & 1; }\n")
	compile("main")
	group.Wait()
	shipped, rebuilt = filepath.Join(b.dir, "cpp-a"), filepath.Join(b.dir, "cpp-b")
	link := func(out string) { b.run(dir, append([]string{"g++", "-o", out}, objects...)...) }
	link(rebuilt)
	n := 4*cppFunctions + 3
	b.change(filepath.Join(dir, "u4.cc"), fmt.Sprintf("key %d", n), fmt.Sprintf("kee %d", n), fmt.Sprintf("all.size() * %d; };\n  return f(%d)", (n+1)%97+1, n+1), fmt.Sprintf("all.size() * %d; };\n  return f(%d)", (n+1)%97+7, n+1))
	b.run(dir, "g++", "-g", "-O2", "-c", "u4.cc", "-o", "u4.o")
	link(shipped)
	return shipped, rebuilt, !b.t.Failed()
}
