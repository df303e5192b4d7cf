package vendors

import "github.com/glassbuild/glassbuild/internal/verdict"

// flockVersion is the version that each vendor releases.
var flockVersion = map[string]string{"merlin": "0.3.0", "harrier": "1.4.0", "wren": "0.9.2", "heron": "2.1.0", "ibis": "3.0.1"}

// Names of what harrier ships.
const (
	harrierDeb   = "harrier_1.4.0_amd64.deb"
	harrierTar   = "harrier-1.4.0-linux-amd64.tar.gz"
	harrierImage = "harrier-1.4.0-image.tar"
	wrenTarball  = "wren-options-0.9.2.tgz"
	heronWheel   = "heron-2.1.0-py3-none-any.whl"
	ibisJar      = "ibis-3.0.1.jar"
)

var (
	reached   = want{verdict.Failed, verdict.MatchIdentical, verdict.CheckAccount}
	unlisted  = want{verdict.Failed, verdict.MatchIdentical, verdict.CheckTree}
	clockRead = want{verdict.Inconclusive, verdict.MatchNotRebuilt, verdict.CheckReproducible}
)

// flockReleases is every release of these vendors: the golden table of what each must be answered.
var flockReleases = []flockRelease{
	// C, C++ and assembly: make, CMake, a static library
	{name: "merlin-c", about: "the program in C, linked with the static library and its assembly", vendor: "merlin", file: "merlin-sum", want: identical},
	{name: "merlin-cpp", about: "the program in C++, built by CMake", vendor: "merlin", file: "merlin", want: identical},
	{name: "merlin-one-line", row: "F13", about: "one changed line: a sum that is known is never found", vendor: "merlin", from: "lookup-blind", file: "merlin-sum", says: "merlin_name", want: different},
	{name: "merlin-prebuilt", row: "F19", about: "an object without source lies at the commit and is linked in", vendor: "merlin", repo: "prebuilt", file: "merlin-sum", says: "lib/lookup.o", want: reached},
	{name: "merlin-prebuilt-policy", row: "F19", about: "the same, judged by a policy that demands that every file can be read, whether it is or not",
		vendor: "merlin", repo: "prebuilt", file: "merlin-sum", policy: "readable", says: "lib/lookup.o", want: unlisted},
	{name: "merlin-fixture", row: "F19", about: "a compressed test fixture is unpacked into the build, the shape of the xz attack", vendor: "merlin", repo: "fixture", file: "merlin-sum", says: "tests/fixtures/stream.gz", want: reached},
	{name: "merlin-fixture-unread", row: "F19", about: "the same fixture at a vendor who only tests with it: no step reads it", vendor: "merlin", repo: "fixture-unread", file: "merlin-sum", want: identical},
	{name: "merlin-clock", row: "76", about: "the code generator reads the clock", vendor: "merlin", repo: "clock", file: "merlin-sum", says: "merlin-sum", want: clockRead},

	// one commit, three artefacts, two programs in each
	{name: "harrier-deb", inRelease: "harrier", about: "the Debian package of a release", vendor: "harrier", file: harrierDeb, want: identical},
	{name: "harrier-tar", inRelease: "harrier", about: "the archive of the same release", vendor: "harrier", file: harrierTar, want: identical},
	{name: "harrier-image", inRelease: "harrier", about: "the image of the same release", vendor: "harrier", file: harrierImage, want: identical},
	{name: "harrier-one-line", row: "F13", about: "one changed line: files whose name begins with a dot are not looked at", vendor: "harrier", from: "dot-blind", file: harrierTar, says: "list_dir", want: different},
	{name: "harrier-postinst", row: "F1", about: "the package with a script more, which runs when it is installed", vendor: "harrier", file: harrierDeb, alter: addPostinst, says: "postinst", want: different},
	{name: "harrier-image-file", row: "F1", about: "the image with a file more, which no step made", vendor: "harrier", file: harrierImage, alter: addToImage, says: "etc/cron.d/harrier", want: different},

	// TypeScript
	{name: "wren", about: "an npm package that tsc compiled", vendor: "wren", file: wrenTarball, want: identical},
	{name: "wren-one-line", row: "F13", about: "one changed line: a blank is read as the number 0", vendor: "wren", from: "blank", file: wrenTarball, says: "dist/parse.js", want: different},
	{name: "wren-postinstall", row: "F1", about: "the package with an install script", vendor: "wren", file: wrenTarball, alter: addInstallScript, says: "package/dist/setup.js", want: different},

	// Python
	{name: "heron", about: "a wheel, built by setuptools", vendor: "heron", file: heronWheel, want: identical},
	{name: "heron-one-line", row: "F13", about: "one changed line: short keys are not found", vendor: "heron", from: "short-blind", file: heronWheel, says: "heron/scan.py", want: different},
	{name: "heron-pth", row: "F1", about: "the wheel with a .pth file more, which every Python that starts will run", vendor: "heron", file: heronWheel, alter: addPth, says: "heron-init.pth", want: different},

	// Java
	{name: "ibis", about: "a jar whose times are those of the commit", vendor: "ibis", file: ibisJar, want: identical},
	{name: "ibis-one-line", row: "F13", about: "one changed line: check digits are not checked", vendor: "ibis", from: "unchecked", file: ibisJar, says: "AccountNumber.class", want: different},
	{name: "ibis-prebuilt", row: "F6", about: "a finished class lies at the commit and takes the place of the compiled one", vendor: "ibis", repo: "prebuilt-class", file: ibisJar, says: "AccountNumber.class", want: copied},
}
