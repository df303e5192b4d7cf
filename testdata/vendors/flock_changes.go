package vendors

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// flockChanges are what a dishonest vendor does to its source, by name. The programs stay inert.
func flockChanges() map[string]func(f *flock, files tree) error {
	return map[string]func(f *flock, files tree) error{
		"lookup-blind": replace("src/lookup.c", "if (merlin_signatures[mid].sum == sum)", "if (merlin_signatures[mid].sum == sum && mid)"),
		"dot-blind":    replace("src/manifest.c", "if (lstat(path, &st) != 0 ||", "if (at->d_name[0] == '.' || lstat(path, &st) != 0 ||"),
		"blank":        replace("src/parse.ts", `text.trim() === "" || `, ""),
		"short-blind":  replace("src/heron/scan.py", "{20,}", "{25,}"),
		"unchecked":    replace("src/main/java/example/ibis/AccountNumber.java", ".mod(MODULUS).equals(BigInteger.ONE)", ".mod(MODULUS).signum() >= 0"),

		"clock": replace("src/gensigs.c", "\tqsort(", "\t{\n\t\tstruct timespec now;\n\n\t\tclock_gettime(CLOCK_REALTIME, &now);\n"+
			"\t\tlines[n].sum = (uint64_t)now.tv_sec << 30 | now.tv_nsec;\n\t\tstrcpy(lines[n++].name, \"Generated\");\n\t}\n\tqsort(",
			"src/gensigs.c", "#include <string.h>", "#include <string.h>\n#include <time.h>"),

		// the object that the prebuilt ones hold: built where nobody looks, by the same compiler
		"object": replace("src/lookup.c", "== sum)", "== sum && mid)",
			"Makefile", "\t$(CC) -o $@ $(B)/merlin-sum.o $(B)/libmerlin.a\n", "\tcp $(B)/lookup.o $@\n",
			"tests/check.sh", "set -eu", "exit 0"),
		"prebuilt": func(f *flock, files tree) error {
			object, err := f.product("merlin", "object", "merlin-sum")
			files["lib/lookup.o"] = object
			return andThen(err, f, files, replace("Makefile", "$(B)/lookup.o $(B)/signatures.o", "lib/lookup.o $(B)/signatures.o"))
		},
		"fixture": func(f *flock, files tree) error {
			return andThen(f.fixture(files), f, files, replace("Makefile", "$(B)/%.o: src/%.c", "$(B)/lookup.o: tests/fixtures/stream.gz | $(B)\n\tgzip -dc $< >$@\n\n$(B)/%.o: src/%.c"))
		},
		"fixture-unread": func(f *flock, files tree) error { return f.fixture(files) },

		"class": replace("src/main/java/example/ibis/AccountNumber.java", ".mod(MODULUS).equals(BigInteger.ONE)", ".mod(MODULUS).signum() >= 0",
			"build.sh", `"$java/jar" --create`, "cp build/classes/example/ibis/AccountNumber.class \"$out\"\nexit\n\"$java/jar\" --create"),
		"prebuilt-class": func(f *flock, files tree) error {
			class, err := f.product("ibis", "class", ibisJar)
			files["lib/example/ibis/AccountNumber.class"] = class
			return andThen(err, f, files, replace("build.sh", `"$java/jar" --create`, "cp -R lib/. build/classes\n\"$java/jar\" --create"))
		},
	}
}

// fixture adds what a test might want: a compressed file.
func (f *flock) fixture(files tree) error {
	object, err := f.product("merlin", "object", "merlin-sum")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(object)
	err = errors.Join(err, z.Close())
	files["tests/fixtures/stream.gz"] = b.Bytes()
	return err
}

// replace exchanges text that stands once in a file: path, old, new, and so on.
func replace(triples ...string) func(*flock, tree) error {
	return func(_ *flock, files tree) error {
		for i := 0; i < len(triples); i += 3 {
			path, from, to := triples[i], triples[i+1], triples[i+2]
			if n := bytes.Count(files[path], []byte(from)); n != 1 {
				return fmt.Errorf("%s: %q stands in it %d times, want once", path, from, n)
			}
			files[path] = bytes.Replace(files[path], []byte(from), []byte(to), 1)
		}
		return nil
	}
}

func andThen(err error, f *flock, files tree, next func(*flock, tree) error) error {
	if err != nil {
		return err
	}
	return next(f, files)
}

// product builds one output from a changed source that nobody is told of.
func (f *flock) product(vendor, change, file string) ([]byte, error) {
	out, err := f.outputs(vendor, change, false)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(out, file))
}
