package dist

import (
	"bytes"

	"github.com/google/rpmpack"
)

// RPM makes a package without scriptlets and without a signature of its own: what vouches for it is an attestation.
func RPM(info Info, files []File) ([]byte, error) {
	if err := info.check(); err != nil {
		return nil, err
	}
	list, err := sorted(files)
	if err != nil {
		return nil, err
	}
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{
		Name: info.Name, Version: info.numbers(), Release: "1", Arch: architectures[info.Architecture].rpm,
		Summary: info.Summary, Description: info.Text, URL: info.URL, Packager: info.Maintainer, Licence: info.Licence,
		BuildTime: info.Time, BuildHost: "localhost", Compressor: "gzip", Epoch: rpmpack.NoEpoch,
	})
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if f.folder() {
			continue // folders of the file system belong to other packages
		}
		r.AddFile(rpmpack.RPMFile{Name: "/" + f.Name, Body: f.Data, Mode: 0o100000 | uint(f.Mode), Owner: "root", Group: "root", MTime: uint32(info.Time.Unix())})
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
