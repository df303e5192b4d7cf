package compare_test

import (
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
)

func TestMetadataDiffers(t *testing.T) {
	t.Parallel()
	base := artifact.Member{Type: artifact.File, Mode: 0o755}
	for want, change := range map[string]func(*artifact.Member){
		"m: metadata differs: mode 4755 shipped, 0755 rebuilt":      func(m *artifact.Member) { m.Mode = 0o4755 },
		"m: metadata differs: owner 7:0 shipped, 0:0 rebuilt":       func(m *artifact.Member) { m.UID = 7 },
		"m: metadata differs: owner 0:0 x: shipped, 0:0 rebuilt":    func(m *artifact.Member) { m.User = "x" },
		"m: metadata differs: mtime 9 shipped, 0 rebuilt":           func(m *artifact.Member) { m.ModTime = 9 },
		"m: metadata differs: type directory shipped, file rebuilt": func(m *artifact.Member) { m.Type = artifact.Directory },
		`m: metadata differs: attribute security.capability "\x01" shipped, absent rebuilt`: func(m *artifact.Member) {
			m.Xattrs = map[string]string{"security.capability": "\x01"}
		},
	} {
		m := base
		change(&m)
		d := compare.Metadata(&m, &base)
		if len(d) != 1 {
			t.Errorf("%s: %+v", want, d)
			continue
		}
		err := compare.MetadataFault("m", d[0])
		if err.Error() != want || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%q, want %q", err, want)
		}
		if d[0].Grave() != (d[0].Property != "mtime") {
			t.Errorf("%+v", d)
		}
	}
	if d := compare.Metadata(&base, &base); len(d) != 0 {
		t.Errorf("%+v", d)
	}
}
