package artifact

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// xattrs returns the extended attributes that make a file more than its bytes: file capabilities first of all. What
// cannot be listed is left out, as on file systems without attributes.
func xattrs(f *os.File) map[string]string {
	buf := make([]byte, maxXattr)
	n, err := unix.Flistxattr(int(f.Fd()), buf)
	if err != nil || n <= 0 {
		return nil
	}
	attrs := make(map[string]string)
	for name := range strings.SplitSeq(strings.TrimRight(string(buf[:n]), "\x00"), "\x00") {
		v := make([]byte, maxXattr)
		if n, err := unix.Fgetxattr(int(f.Fd()), name, v); err == nil {
			attrs[name] = string(v[:n])
		}
	}
	return attrs
}
