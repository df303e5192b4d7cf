package pass_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/allow"
)

// TestRealTools holds the passes against what the tools of this machine write: an honest pair must be forgiven by exactly
// the pass that is meant, and nothing else of it.
func TestRealTools(t *testing.T) {
	t.Parallel()
	const c = "int main(void) { return 42; }\n"
	pack := func(tool, flags string) string {
		return "mkdir d && echo one > d/a && echo two > d/b && touch -d @" + flags + " d d/a d/b && " + tool
	}
	for name, x := range map[string]struct {
		tool, one, two string // commands that make out
		needs          string
	}{
		"a linker's build id": {"gcc", "gcc -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567 -o out a.c",
			"gcc -Wl,--build-id=0x76543210fedcba9876543210fedcba9876543210 -o out a.c", allow.ELFBuildID},
		"a static program's": {"gcc", "gcc -static -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567 -o out a.c",
			"gcc -static -Wl,--build-id=0x76543210fedcba9876543210fedcba9876543210 -o out a.c", allow.ELFBuildID},
		"a linker's time": {"x86_64-w64-mingw32-gcc", "SOURCE_DATE_EPOCH=1700000000 x86_64-w64-mingw32-gcc -s -nostdlib -Dmain=entry -e entry -Wl,--insert-timestamp -o out.exe a.c && mv out.exe out",
			"SOURCE_DATE_EPOCH=1600000000 x86_64-w64-mingw32-gcc -s -nostdlib -Dmain=entry -e entry -Wl,--insert-timestamp -o out.exe a.c && mv out.exe out", allow.PETimestamp},
		"gnu tar": {"tar", pack("tar --sort=name -cf out d", "1700000000"), pack("tar --sort=name -cf out d", "1600000000"), allow.TarMtime},
		"pax": {"tar", pack("tar --format=posix --sort=name --pax-option=exthdr.name=%d/x/%f,delete=atime,delete=ctime -cf out d", "1700000000.123456789"),
			pack("tar --format=posix --sort=name --pax-option=exthdr.name=%d/x/%f,delete=atime,delete=ctime -cf out d", "1600000000.5"), allow.TarMtime},
		"zip":      {"zip", pack("zip -qrX out.zip d && mv out.zip out", "1700000000"), pack("zip -qrX out.zip d && mv out.zip out", "1600000000"), allow.ZipMtime},
		"zip, all": {"zip", pack("zip -qr out.zip d && mv out.zip out", "1700000000"), pack("zip -qr out.zip d && mv out.zip out", "1600000000"), allow.ZipMtime},
		"ar":       {"ar", pack("ar rcU out d/a d/b", "1700000000"), pack("ar rcU out d/a d/b", "1600000000"), allow.ArMtime},
		"jar":      {"jar", pack("jar --create --file out --date 2024-01-02T03:04:06Z d", "1700000000"), pack("jar --create --file out --date 2025-01-02T03:04:06Z d", "1700000000"), allow.ZipMtime},
		"dpkg-deb": {"dpkg-deb", pack("mkdir d/DEBIAN && printf 'Package: a\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@example.org>\\nDescription: a\\n' > d/DEBIAN/control && SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -Znone -b d out", "1500000000"),
			pack("mkdir d/DEBIAN && printf 'Package: a\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@example.org>\\nDescription: a\\n' > d/DEBIAN/control && SOURCE_DATE_EPOCH=1600000000 dpkg-deb --root-owner-group -Znone -b d out", "1500000000"),
			allow.DebMtime + " " + allow.TarMtime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(x.tool); err != nil {
				t.Skipf("%s is not on this machine: nothing was tested with it", x.tool)
			}
			var made [2][]byte
			for i, command := range []string{x.one, x.two} {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "a.c"), []byte(c), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("sh", "-ec", "umask 022; "+command)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "TZ=UTC")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				b, err := os.ReadFile(filepath.Join(dir, "out"))
				if err != nil {
					t.Fatal(err)
				}
				made[i] = b
			}
			out := judge(t, made[0], made[1])
			if !out.Equivalent || strings.Join(out.Needs(), " ") != x.needs {
				t.Errorf("%v %q, needs %q", out.Equivalent, out.Reason, out.Needs())
			}
		})
	}
}
