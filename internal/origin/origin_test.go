package origin

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// classFile makes a class file of a name, with a SourceFile attribute unless source is "".
func classFile(this, source string) []byte {
	be := binary.BigEndian
	utf := func(s string) []byte { return append(be.AppendUint16([]byte{1}, uint16(len(s))), s...) }
	b := []byte{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61}
	b = be.AppendUint16(b, 8)
	b = append(b, utf(this)...)                    // 1
	b = append(b, 7, 0, 1)                         // 2
	b = append(b, utf("SourceFile")...)            // 3
	b = append(b, utf(source)...)                  // 4
	b = append(b, 5, 0, 0, 0, 0, 0, 0, 0, 1)       // 5 and 6: a long takes two
	b = append(b, utf("x")...)                     // 7
	b = append(b, 0, 0x21, 0, 2, 0, 0, 0, 1, 0, 2) // flags, this, super, one interface
	b = append(b, 0, 1, 0, 0, 0, 7, 0, 7, 0, 1)    // one field with one attribute
	b = append(b, 0, 7, 0, 0, 0, 2, 9, 9)          // of two bytes
	b = append(b, 0, 0)                            // no methods
	if source == "" {
		return append(b, 0, 0)
	}
	return append(b, 0, 1, 0, 3, 0, 0, 0, 2, 0, 4)
}

func TestClassSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		data []byte
		want string
		told bool
		ok   bool
	}{
		{"told", classFile("example/ibis/Main$1", "Main.java"), "example/ibis/Main.java", true, true},
		{"default package", classFile("Main", "Main.java"), "Main.java", true, true},
		{"not told", classFile("example/Main$In$1", ""), "example/Main", false, true},
		{"a folder in the attribute", classFile("example/Main", "../../x.java"), "example/Main", false, true},
		{"another file", []byte("\xca\xfe\xba\xbe"), "", false, false},
		{"cut", classFile("example/Main", "Main.java")[:60], "", false, false},
		{"unknown constant", append([]byte{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 2}, 99), "", false, false},
	} {
		name, told, ok := classSource(c.data)
		if name != c.want || told != c.told || ok != c.ok {
			t.Errorf("%s: %q, %v, %v", c.name, name, told, ok)
		}
	}
}

func TestMapSources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"plain", `{"version":3,"sources":["../src/a.ts","../src/b.ts",null,""],"mappings":""}`, []string{"../src/a.ts", "../src/b.ts"}},
		{"root", `{"version":3,"sourceRoot":"../src/","sources":["a.ts","/abs.ts","webpack://x/./y.ts"]}`, []string{"../src/a.ts", "/abs.ts", "webpack://x/./y.ts"}},
		{"guard", ")]}'\n" + `{"version":3,"sources":["a.ts"]}`, []string{"a.ts"}},
		{"mark", "\xef\xbb\xbf" + `{"version":3,"sources":["a.ts"]}`, []string{"a.ts"}},
		{"sections", `{"version":3,"sections":[{"map":{"version":3,"sources":["a.ts"]}},{"map":{"version":3,"sources":["b.ts"]}},{}]}`, []string{"a.ts", "b.ts"}},
		{"nested sections", `{"version":3,"sections":[{"map":{"version":3,"sources":["a.ts"],"sections":[{"map":{"sources":["no"]}}]}}]}`, nil},
		{"other version", `{"version":2,"sources":["a.ts"]}`, nil},
		{"none", `{"version":3,"sources":[]}`, nil},
		{"no map", `[]`, nil},
		{"long", `{"version":3,"sources":["` + strings.Repeat("a", maxNameBytes+1) + `"]}`, nil},
	} {
		got, ok := mapSources([]byte(c.text))
		if !slices.Equal(got, c.want) || ok != (len(c.want) > 0) {
			t.Errorf("%s: %q, %v", c.name, got, ok)
		}
	}
}

func TestMapURL(t *testing.T) {
	t.Parallel()
	inline := "data:application/json;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(`{"version":3}`))
	for text, want := range map[string]string{
		"x();\n//# sourceMappingURL=x.js.map\n":                  "x.js.map",
		"a{}\n/*# sourceMappingURL=x.css.map */":                 "x.css.map",
		"s='//# sourceMappingURL=no';\n//# sourceMappingURL=yes": "yes",
		"x();\n// sourceMappingURL=old.map":                      "",
		"# sourceMappingURL=none":                                "",
		"//# sourceMappingURL=":                                  "",
		"x();//# sourceMappingURL=" + inline:                     inline,
	} {
		if got, ok := mapURL([]byte(text)); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
	if data, ok := inlineMap(inline); !ok || string(data) != `{"version":3}` {
		t.Errorf("%q, %v", data, ok)
	}
	if data, ok := inlineMap(`data:application/json,%7B%22version%22%3A3%7D`); !ok || string(data) != `{"version":3}` {
		t.Errorf("%q, %v", data, ok)
	}
	for _, bad := range []string{"x.js.map", "data:", "data:;base64,***"} {
		if _, ok := inlineMap(bad); ok {
			t.Error(bad)
		}
	}
}

func TestParseDepfile(t *testing.T) {
	t.Parallel()
	text := "build/a.o: src/a.c src/a\\ b.h \\\n  gen/$$x.h \\\r\n /usr/include/stdio.h\nsrc/a.h:\n\nbuild/b.o: src/b\\#.c\nnot a rule\n"
	rules := ParseDepfile([]byte(text))
	if len(rules) != 2 || rules[0].Target != "build/a.o" || !slices.Equal(rules[0].Reads, []string{"src/a.c", "src/a b.h", "gen/$x.h", "/usr/include/stdio.h"}) ||
		!slices.Equal(rules[1].Reads, []string{"src/b#.c"}) {
		t.Errorf("%+v", rules)
	}
}

// aWorld is what a build of everything at once could have been given.
func aWorld() *World {
	set := func(names ...string) map[string]bool {
		m := map[string]bool{}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	tree := set("main.c", "src/lookup.c", "old/lookup.c", "src/y.h", "cmd/tool/main.go", "part/p.go", "vendor/example.com/v/v.go", "local/l.go", "src/main/java/a/b/C.java", "test/java/a/b/C.java",
		"src/main/kotlin/a/K.kt", "packages/x/src/i.ts", "web/app.ts", "sub/go/s.go")
	gcc, golang := set("usr/include/stdio.h", "usr/lib/gcc/12/include/stddef.h"), set("src/runtime/proc.go", "src/vendor/golang.org/x/y.go")
	return &World{
		Root: "/src", Dirs: []string{"packages/x"}, Tree: tree,
		Read:    set("main.c", "src/lookup.c", "src/y.h", "cmd/tool/main.go", "src/main/java/a/b/C.java"),
		Made:    map[string]string{"build/gen.c": "11", "packages/x/dist/i.js.map": "22", "node_modules/@s/p/": "", "src/y.h": "33"},
		ByBytes: map[string][]string{"22": {"packages/x/dist/i.js.map"}},
		Empty:   []string{"/tmp", "/home/b", "/go"},
		Layers: []Layer{{Name: "go 1.26.5", Target: "/usr/local/go", Has: func(s string) bool { return golang[s] }},
			{Name: "debian bookworm", Target: "/", Has: func(s string) bool { return gcc[s] }}},
		GoRoots: []string{"/usr/local/go"},
		Own:     []GoModule{{"example.org/tool/sub", "sub/go"}, {"example.org/tool", "."}},
		Modules: func(m, v string) bool { return m == "example.com/Dep" && v == "v1.0.0" || m == "example.com/fork" },
		Holds:   func(m, v, f string) bool { return f == "d.go" },
		Replace: map[string]string{"example.com/local": "local"},
		Other:   map[string][2]string{"example.com/orig@v1.0.0": {"example.com/fork", "v2.0.0"}},
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	w := aWorld()
	for _, c := range []struct {
		by, text, in, near string
		kind               Kind
		path, part         string
	}{
		{by: ByDebugData, text: "/src/main.c", kind: Source, path: "main.c"},
		{by: ByDebugData, text: "/src/build/../src/lookup.c", kind: Source, path: "src/lookup.c"},
		{by: ByDebugData, text: "./main.c", kind: Source, path: "main.c"},
		{by: ByDebugData, text: "src/i.ts", kind: Source, path: "packages/x/src/i.ts"},
		{by: ByDebugData, text: "/src/build/gen.c", kind: Made, path: "build/gen.c"},
		{by: ByDebugData, text: "/src/src/y.h", kind: Made, path: "src/y.h"}, // a step wrote another one in its place
		{by: ByDebugData, text: "/src/removed.c", kind: Nowhere, path: "/src/removed.c"},
		{by: ByDebugData, text: "/usr/include/stdio.h", kind: Builder, path: "/usr/include/stdio.h", part: "debian bookworm"},
		{by: ByDebugData, text: "/usr/include/none.h", kind: Nowhere, path: "/usr/include/none.h"},
		{by: ByDebugData, text: "/tmp/cc123.c", kind: Gone, path: "/tmp/cc123.c"},
		{by: ByDebugData, text: "/home/somebody/evil.c", kind: Nowhere, path: "/home/somebody/evil.c"},
		{by: ByDebugData, text: "/src/../../etc/passwd", kind: Nowhere, path: "/etc/passwd"},
		{by: ByDebugData, text: `C:\tree\x.c`, kind: Nowhere, path: "C:/tree/x.c"},
		{by: ByDepfiles, text: "lookup.c", near: "src/deps/a.d", kind: Source, path: "src/lookup.c"},
		{by: BySymbols, text: "lookup.c", kind: Source, path: "src/lookup.c"}, // the one that was read
		{by: BySymbols, text: "gen.c", kind: Made, path: "build/gen.c"},
		{by: BySymbols, text: "crtstuff.c", kind: Nowhere, path: "crtstuff.c"},
		{by: ByLineTable, text: "example.org/tool/cmd/tool/main.go", kind: Source, path: "cmd/tool/main.go"},
		{by: ByLineTable, text: "example.org/tool/sub/s.go", kind: Source, path: "sub/go/s.go"},
		{by: ByLineTable, text: "example.org/tool@v1.2.0/part/p.go", kind: Source, path: "part/p.go"},
		{by: ByLineTable, text: "/src/part/p.go", kind: Source, path: "part/p.go"},
		{by: ByLineTable, text: "example.com/v@v1.0.0/v.go", kind: Source, path: "vendor/example.com/v/v.go"},
		{by: ByLineTable, text: "example.com/local@v0.0.0/l.go", kind: Source, path: "local/l.go"},
		{by: ByLineTable, text: "example.com/Dep@v1.0.0/d.go", kind: Module, path: "example.com/Dep@v1.0.0/d.go", part: "example.com/Dep@v1.0.0"},
		{by: ByLineTable, text: "example.com/orig@v1.0.0/d.go", kind: Module, path: "example.com/fork@v2.0.0/d.go", part: "example.com/fork@v2.0.0"},
		{by: ByLineTable, text: "/go/pkg/mod/example.com/!dep@v1.0.0/d.go", kind: Module, path: "/go/pkg/mod/example.com/!dep@v1.0.0/d.go", part: "example.com/Dep@v1.0.0"},
		{by: ByLineTable, text: "example.com/Dep@v1.0.0/other.go", kind: Nowhere, path: "example.com/Dep@v1.0.0/other.go"},
		{by: ByLineTable, text: "example.com/Dep@v1.0.1/d.go", kind: Nowhere, path: "example.com/Dep@v1.0.1/d.go"},
		{by: ByLineTable, text: "runtime/proc.go", kind: Builder, path: "runtime/proc.go", part: "go 1.26.5"},
		{by: ByLineTable, text: "vendor/golang.org/x/y.go", kind: Builder, path: "vendor/golang.org/x/y.go", part: "go 1.26.5"},
		{by: ByLineTable, text: "/usr/local/go/src/runtime/proc.go", kind: Builder, path: "/usr/local/go/src/runtime/proc.go", part: "go 1.26.5"},
		{by: ByLineTable, text: "runtime/added.go", kind: Nowhere, path: "runtime/added.go"},
		{by: ByLineTable, text: "<autogenerated>", kind: Gone, path: "<autogenerated>"},
		{by: ByLineTable, text: "example.org/tool/_cgo_gotypes.go", kind: Gone, path: "example.org/tool/_cgo_gotypes.go"},
		{by: BySourceMaps, text: "../src/i.ts", in: "22", near: "package/dist/i.js.map", kind: Source, path: "packages/x/src/i.ts"},
		{by: BySourceMaps, text: "../web/app.ts", in: "00", near: "package/dist/i.js", kind: Source, path: "web/app.ts"},
		{by: BySourceMaps, text: "webpack://app/./web/app.ts?abc", near: "app.js", kind: Source, path: "web/app.ts"},
		{by: BySourceMaps, text: "webpack://app/webpack/bootstrap", near: "app.js", kind: Nowhere, path: "webpack://app/webpack/bootstrap"},
		{by: BySourceMaps, text: "../node_modules/@s/p/lib/q.js", in: "22", near: "package/dist/i.js.map", kind: Package, path: "node_modules/@s/p/lib/q.js", part: "@s/p"},
		{by: BySourceMaps, text: "../../../node_modules/@s/p/lib/q.js", in: "22", near: "package/dist/i.js.map", kind: Package, path: "node_modules/@s/p/lib/q.js", part: "@s/p"},
		{by: BySourceMaps, text: "https://example.org/x.ts", near: "app.js", kind: Nowhere, path: "https://example.org/x.ts"},
		{by: ByClassFiles, text: "a/b/C.java", kind: Source, path: "src/main/java/a/b/C.java"},
		{by: ByClassFiles, text: "a/b/D.java", kind: Nowhere, path: "a/b/D.java"},
		{by: ByClassNames, text: "a/K", kind: Source, path: "src/main/kotlin/a/K.kt"},
		{by: ByClassNames, text: "a/KKt", kind: Nowhere, path: "a/KKt"},
		{by: ByBytes, text: "web/app.ts", kind: Source, path: "web/app.ts"},
		{by: ByDebugData, text: "a\x00b", kind: Nowhere, path: "a\x00b"},
	} {
		got := w.Place(Name{By: c.by, Text: c.text, In: c.in, Near: c.near})
		if want := (Place{c.kind, c.path, c.part}); len(got) != 1 || got[0] != want {
			t.Errorf("%s %q: %+v, want %+v", c.by, c.text, got, want)
		}
	}
	w.Read = nil
	if got := w.Place(Name{By: BySymbols, Text: "lookup.c"}); len(got) != 2 {
		t.Errorf("nothing was traced, and two files are called so: %+v", got)
	}
}

// TestCompiled: rules count for what was linked in, or all of them where nobody knows.
func TestCompiled(t *testing.T) {
	t.Parallel()
	deps := map[string][]byte{"build/a.d": []byte("a.o: src/a.c src/a.h\n"), "build/b.d": []byte("b.o: src/b.c\n")}
	names := func(units map[string]bool) string {
		var list []string
		for _, n := range aWorld().Compiled(deps, units) {
			list = append(list, n.Text)
		}
		return strings.Join(list, " ")
	}
	if got := names(map[string]bool{"a.c": true}); got != "src/a.c src/a.h" {
		t.Error(got)
	}
	if got := names(nil); got != "src/a.c src/a.h src/b.c" {
		t.Error(got)
	}
}

// FuzzTexts: none of the readers of what compilers wrote panics, and every name is placed.
func FuzzTexts(f *testing.F) {
	f.Add(classFile("example/Main$1", "Main.java"))
	f.Add(classFile("example/Main", ""))
	f.Add([]byte(`{"version":3,"sourceRoot":"..","sources":["src/a.ts"],"sections":[{"map":{"sources":["b"]}}]}`))
	f.Add([]byte("x();\n//# sourceMappingURL=data:application/json;base64,e30="))
	f.Add([]byte("a.o: b.c d\\ e.h \\\n $$x\n"))
	f.Add([]byte("example.com/v@v1.0.0/../../x.go"))
	w := aWorld()
	f.Fuzz(func(t *testing.T, data []byte) {
		list := []Name{{By: ByLineTable, Text: string(data)}, {By: ByDebugData, Text: string(data)}, {By: BySourceMaps, Text: string(data), In: "22", Near: "package/x.js"}, {By: BySymbols, Text: string(data)}}
		if name, _, ok := classSource(data); ok {
			if name == "" {
				t.Fatalf("%q", name)
			}
			list = append(list, Name{By: ByClassFiles, Text: name}, Name{By: ByClassNames, Text: name})
		}
		sources, _ := mapSources(data)
		if ref, ok := mapURL(data); ok {
			if text, ok := inlineMap(ref); ok {
				more, _ := mapSources(text)
				sources = append(sources, more...)
			}
		}
		for _, s := range sources {
			list = append(list, Name{By: BySourceMaps, Text: s, Near: "package/x.js"})
		}
		for _, r := range ParseDepfile(data) {
			if len(r.Reads) == 0 {
				t.Fatalf("%+v", r)
			}
			for _, n := range r.Reads {
				list = append(list, Name{By: ByDepfiles, Text: n, Near: "build/x.d"})
			}
		}
		for _, n := range list {
			places := w.Place(n)
			if len(places) == 0 {
				t.Fatalf("%+v leads to no place", n)
			}
			for _, p := range places {
				_, made := w.Made[p.Path]
				if p.Kind == Source && !w.Tree[p.Path] || p.Kind == Made && !made || (p.Kind == Builder || p.Kind == Module || p.Kind == Package) && p.Part == "" {
					t.Fatalf("%+v leads to %+v", n, p)
				}
			}
		}
	})
}
