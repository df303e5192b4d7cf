package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// principal is one [[principal]] table as it is written.
type principal struct {
	Name         string            `toml:"name,required"`
	SSH          list              `toml:"ssh"`     // authorised-key lines
	OpenPGP      list              `toml:"openpgp"` // files
	Key          list              `toml:"key"`     // PEM files, such as cosign.pub, or the PEM text itself
	X509         string            `toml:"x509"`    // PEM file: authorities with identity, else the signer's own certificates
	Identity     string            `toml:"identity"`
	Issuer       string            `toml:"issuer"`
	Valid        string            `toml:"valid"`
	Organisation string            `toml:"organisation"`
	Attributes   map[string]string `toml:"attributes"`
	Platform     bool              `toml:"platform"`
	Revoked      []string          `toml:"revoked"`
}

type group struct {
	Name      string    `toml:"name,required"`
	Members   []string  `toml:"members,required"`
	Threshold threshold `toml:"threshold"`
}

// list is one string or an array of them.
type list []string

// UnmarshalTOML implements tomlfile.Unmarshaler.
func (l *list) UnmarshalTOML(v tomlfile.Value) error {
	if v.Kind() == tomlfile.String {
		var s string
		err := v.Decode(&s)
		*l = list{s}
		return err
	}
	return v.Decode((*[]string)(l))
}

// threshold is "any", "all" or a number.
type threshold struct{ t trust.Threshold }

// UnmarshalTOML implements tomlfile.Unmarshaler.
func (t *threshold) UnmarshalTOML(v tomlfile.Value) error {
	var text string
	var n int64
	var err error
	if v.Kind() == tomlfile.String {
		if err = v.Decode(&text); err == nil {
			t.t, err = trust.ParseThreshold(text)
		}
	} else if err = v.Decode(&n); err == nil {
		t.t = trust.AtLeast(n)
	}
	if err != nil && fault.ClassOf(err) == fault.Usage {
		return err
	}
	return err
}

// people checks principals and groups and reads the files that they name.
func (p *Policy) people(doc *tomlfile.Document, f *file) error {
	var all []trust.Principal
	for i, w := range f.Principals {
		tp, err := p.principal(w)
		if err != nil {
			return at(doc, fmt.Sprintf("principal[%d]", i), err)
		}
		all = append(all, tp)
	}
	if f.AllowedSigners != "" {
		data, err := p.read(f.AllowedSigners)
		if err != nil {
			return at(doc, "allowed-signers", err)
		}
		more, err := trust.ParseAllowedSigners(f.AllowedSigners, data)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	var revoked []*trust.Revocations
	if f.RevokedKeys != "" {
		data, err := p.read(f.RevokedKeys)
		if err != nil {
			return at(doc, "revoked-keys", err)
		}
		r, err := trust.ParseRevokedSSHKeys(f.RevokedKeys, data)
		if err != nil {
			return err
		}
		revoked = append(revoked, r)
	}
	var groups []trust.Group
	for _, g := range f.Groups {
		groups = append(groups, trust.Group{Name: g.Name, Members: g.Members, Threshold: g.Threshold.t})
	}
	var err error
	p.Trust, err = trust.New(all, groups, revoked...)
	return at(doc, f.place(err), err)
}

// place finds the table that an error of trust is about: the last one of that name, for the second of two is at fault.
func (f *file) place(err error) string {
	var e *fault.Error
	if !errors.As(err, &e) {
		return "principal"
	}
	for i, g := range slices.Backward(f.Groups) {
		if e.Object == "group "+fault.Quote(g.Name) {
			return fmt.Sprintf("group[%d]", i)
		}
	}
	for i, w := range slices.Backward(f.Principals) {
		if e.Object == "principal "+fault.Quote(w.Name) {
			return fmt.Sprintf("principal[%d]", i)
		}
	}
	if e.Object == "group" {
		return "group"
	}
	return "principal"
}

func (p *Policy) principal(w principal) (trust.Principal, error) {
	tp := trust.Principal{Name: w.Name, Identity: w.Identity, Issuer: w.Issuer, Platform: w.Platform, Revoked: w.Revoked, Attributes: map[string]string{}}
	for k, v := range w.Attributes {
		tp.Attributes[k] = v
	}
	if w.Organisation != "" {
		if _, twice := tp.Attributes["organisation"]; twice {
			return tp, fault.Usagef("organisation", "stands twice: choose one")
		}
		tp.Attributes["organisation"] = w.Organisation
	}
	var err error
	if w.Valid != "" {
		if tp.Valid, err = trust.ParseWindow(w.Valid); err != nil {
			return tp, err
		}
	}
	for _, line := range w.SSH {
		tp.SSH = append(tp.SSH, trust.SSHKey{Line: line})
	}
	if tp.OpenPGP, err = p.readAll(w.OpenPGP); err != nil {
		return tp, err
	}
	if tp.PublicKeys, err = p.readAll(w.Key); err != nil {
		return tp, err
	}
	if w.X509 != "" {
		tp.X509, err = p.read(w.X509)
	}
	return tp, err
}

func (p *Policy) readAll(names []string) ([][]byte, error) {
	var all [][]byte
	for _, n := range names {
		if strings.HasPrefix(n, "-----BEGIN ") { // the key itself
			all = append(all, []byte(n))
			continue
		}
		data, err := p.read(n)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// read reads a file that the policy names, relative to the policy's own folder; its content is part of the digest.
func (p *Policy) read(name string) ([]byte, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	st, err := os.Stat(path)
	if err == nil && (!st.Mode().IsRegular() || st.Size() > maxNamedFile) {
		return nil, fault.Usagef(fault.Quote(name), "is no file of at most %d MiB", maxNamedFile>>20)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fault.Usagef(fault.Quote(name), "cannot be read: %w", pathless(err))
	}
	p.named = append(p.named, namedFile{name, data})
	return data, nil
}

type namedFile struct {
	name string
	data []byte
}

// at gives an error that has no position the one of key.
func at(doc *tomlfile.Document, key string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), doc.Name()+":") {
		return err
	}
	out := doc.Errorf(key, "%w", err)
	out.Hint = fault.HintOf(err)
	return out
}
