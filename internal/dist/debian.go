package dist

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Debian makes a package of format 2.0 (deb(5)), without maintainer scripts.
func Debian(info Info, files []File) ([]byte, error) {
	if err := info.check(); err != nil {
		return nil, err
	}
	data, err := TarGzip(files, info.Time)
	if err != nil {
		return nil, err
	}
	if files, err = sorted(files); err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, File.folder)
	control, err := TarGzip([]File{
		{Name: "control", Mode: 0o644, Data: debianControl(info, files)},
		{Name: "md5sums", Mode: 0o644, Data: md5sums(files)},
	}, info.Time)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range []File{{Name: "debian-binary", Data: []byte("2.0\n")}, {Name: "control.tar.gz", Data: control}, {Name: "data.tar.gz", Data: data}} {
		arMember(&b, m, info.Time)
	}
	return b.Bytes(), nil
}

// arMember writes one member as ar(5) has it: names of at most 16 bytes, an even number of bytes.
func arMember(b *bytes.Buffer, f File, when time.Time) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", f.Name, when.Unix(), 0, 0, "100644", len(f.Data))
	b.Write(f.Data)
	if len(f.Data)%2 != 0 {
		b.WriteByte('\n')
	}
}

func debianControl(info Info, files []File) []byte {
	size := 0
	for _, f := range files {
		size += (len(f.Data) + 1023) / 1024
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: %s\nInstalled-Size: %d\nSection: utils\nPriority: optional\nHomepage: %s\nDescription: %s\n",
		info.Name, info.numbers(), architectures[info.Architecture].debian, info.Maintainer, size, info.URL, info.Summary)
	for line := range strings.Lines(info.Text) {
		if line = strings.TrimRight(line, "\n"); line == "" {
			line = "." // an empty line would end the field (deb-control(5))
		}
		b.WriteString(" " + line + "\n")
	}
	return []byte(b.String())
}

// md5sums is what dpkg --verify holds installed files against; it proves nothing and nobody says it does.
func md5sums(files []File) []byte {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%x  %s\n", md5.Sum(f.Data), f.Name)
	}
	return []byte(b.String())
}
