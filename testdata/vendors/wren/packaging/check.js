// the compiled package, as a user of it sees it
const assert = require("assert");
const { OptionError, parse } = require("../dist");

const { options, rest } = parse({ verbose: "flag", output: "text", jobs: "number" }, ["a", "--verbose", "--output=x=y", "--jobs", "4", "--", "--b"]);
assert.deepStrictEqual(options, { verbose: true, output: "x=y", jobs: 4 });
assert.deepStrictEqual(rest, ["a", "--b"]);
for (const args of [["--no-such"], ["--verbose=1"], ["--output"], ["--jobs=many"], ["--toString=1"]])
  assert.throws(() => parse({ verbose: "flag", output: "text", jobs: "number" }, args), OptionError);
