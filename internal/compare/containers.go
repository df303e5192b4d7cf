package compare

import (
	"fmt"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// container compares two archives of the same or of different kinds, or two directories: members first, then order,
// metadata, compression and container header, each by itself.
func (e *explainer) container(n *tree.Node, a, b *artifact.Member) error {
	a, b = byParts(a, b)
	others := make(map[string]*artifact.Member, len(b.Members))
	for _, m := range b.Members {
		others[m.Name] = m
	}
	meta := newMetadataGroups()
	packed := new(packing)
	var orderA []string
	var onlyA []*artifact.Member
	for _, m := range a.Members {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		o := others[m.Name]
		if o == nil {
			onlyA = append(onlyA, m)
			continue
		}
		delete(others, m.Name)
		orderA = append(orderA, m.Name)
		meta.add(m, o)
		packed.add(m, o)
		if m.Type != o.Type {
			continue // named with the metadata
		}
		child := &tree.Node{Path: m.Path, Kind: tree.Member}
		if err := e.node(child, m, o); err != nil {
			return err
		}
		n.Add(child)
	}
	e.oneSided(n, onlyA, b.Members, others)
	n.Causes = append(n.Causes, meta.causes()...)
	if c, ok := order(orderA, b, others); ok && a.Type != artifact.Directory {
		n.Causes = append(n.Causes, c)
	}
	rest := len(n.Nodes)+len(n.Causes) == 0
	n.Causes = append(n.Causes, packed.causes()...)
	causes := streams(a, b, rest)
	if n.Bytes == 1 && len(causes) == 1 {
		causes[0].Text = "one byte: " + causes[0].Text
	}
	n.Causes = append(n.Causes, causes...)
	switch {
	case len(n.Nodes)+len(n.Causes) > 0:
		return nil
	case a.Type == artifact.Directory && b.Type == artifact.Directory:
		n.Status = tree.Identical // a folder is what is in it
		return nil
	}
	return e.shell(n, a, b)
}

// oneSided adds the members that only one side has. Two of one name but for the version in it are one dependency in
// another version.
func (e *explainer) oneSided(n *tree.Node, onlyA []*artifact.Member, membersB []*artifact.Member, others map[string]*artifact.Member) {
	stems := make(map[string]*artifact.Member)
	for _, m := range membersB {
		if s := stem(m.Name); others[m.Name] != nil && s != "" {
			stems[s] = m
		}
	}
	for _, m := range onlyA {
		o := stems[stem(m.Name)]
		if o == nil || m.Type != artifact.File || o.Type != artifact.File || others[o.Name] == nil {
			child := &tree.Node{Path: m.Path, Kind: tree.Member}
			oneSided(child, m, nil)
			n.Add(child)
			continue
		}
		delete(others, o.Name)
		n.Add(&tree.Node{
			Path: m.Path, Kind: tree.Member, Status: tree.Different, Format: m.Format,
			Shipped: &tree.Side{Size: m.Size, SHA256: m.SHA256}, Rebuilt: &tree.Side{Size: o.Size, SHA256: o.SHA256},
			Causes: []tree.Cause{{
				ID:     tree.CauseDependency,
				Text:   fmt.Sprintf("another version: %s shipped, %s rebuilt", fault.Quote(path.Base(m.Name)), fault.Quote(path.Base(o.Name))),
				Remedy: "pin the dependency to the version that was shipped",
			}},
		})
		others[o.Name] = nil
	}
	for _, m := range membersB {
		if others[m.Name] != nil {
			child := &tree.Node{Path: m.Path, Kind: tree.Member}
			oneSided(child, nil, m)
			n.Add(child)
		}
	}
}

var versionInName = pattern.New(`^(.*?[A-Za-z_])[-_.]?v?\d+(\.\d+)+[A-Za-z0-9.+~_-]*?(\.(jar|war|whl|gem|crate|nupkg|zip|tgz|tar\.gz|so|dll|aar))$`)

// stem returns the name of a library without its version, "" for what is none.
func stem(name string) string {
	m := versionInName.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	return m[1] + m[3]
}

// isPackageSignature tells whether a member of this name signs the archive that it lies in: dpkg-sig and debsigs, jar,
// Alpine, RPM and NuGet packages.
func isPackageSignature(name string) bool {
	base, upper := path.Base(name), strings.ToUpper(name)
	switch {
	case strings.HasPrefix(base, "_gpg"), strings.HasPrefix(base, ".SIGN."), name == ".signature.p7s":
		return true
	case strings.HasPrefix(upper, "META-INF/") && strings.Count(upper, "/") == 1:
		for _, ext := range []string{".SF", ".RSA", ".DSA", ".EC"} {
			if strings.HasSuffix(upper, ext) {
				return true
			}
		}
	}
	return false
}

// order tells whether the members that both archives have come in another order.
func order(names []string, b *artifact.Member, onlyB map[string]*artifact.Member) (tree.Cause, bool) {
	known := make(map[string]bool, len(names))
	for _, n := range names {
		known[n] = true
	}
	i := 0
	for _, m := range b.Members {
		if !known[m.Name] {
			continue
		}
		if i < len(names) && names[i] != m.Name {
			return tree.Cause{
				ID: tree.CauseOrder, Remedy: "sort the members by name when packing",
				Text: fmt.Sprintf("order of members differs from member %d on: %s shipped, %s rebuilt", i+1, fault.Quote(names[i]), fault.Quote(m.Name)),
			}, true
		}
		i++
	}
	return tree.Cause{}, false
}

// shell explains two archives that have the same members, in one order, with the same metadata: what is left lies in
// the container itself.
func (e *explainer) shell(n *tree.Node, a, b *artifact.Member) error {
	c := tree.Cause{ID: tree.CauseContainer, Text: "all members are the same: headers or padding of the archive differ"}
	if n.Bytes == 0 && a.Type == artifact.File && a.Size > 0 {
		ca, err := e.content(e.a, e.rootA, a)
		if err != nil {
			return err
		}
		defer ca.Close()
		cb, err := e.content(e.b, e.rootB, b)
		if err != nil {
			return err
		}
		defer cb.Close()
		d, err := Files(e.ctx, ca, cb)
		if err != nil {
			return err
		}
		describe(n, d)
		c.Text += ", " + d.String()
	} else if e.rootDifference != nil {
		c.Text += ", " + e.rootDifference.String()
	}
	n.Causes = append(n.Causes, c)
	return nil
}

// byParts compares two images by their parts, layers and file system: the names in an image layout are digests.
func byParts(a, b *artifact.Member) (*artifact.Member, *artifact.Member) {
	if len(a.View) == 0 || len(b.View) == 0 {
		return a, b
	}
	x, y := *a, *b
	x.Members, x.View = a.View, nil
	y.Members, y.View = b.View, nil
	return &x, &y
}
