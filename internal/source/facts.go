package source

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// Person is who wrote or committed something, as the object says: nobody has checked it.
type Person struct {
	Name  string
	Email string
	When  int64  // seconds since the epoch
	Zone  string // "+0200"
}

// Facts is what a commit says of itself, and what its repository says of it.
type Facts struct {
	ID           string
	Tree         string
	ObjectFormat string // "sha1" or "sha256"
	Parents      []string
	Author       Person
	Committer    Person
	Message      string

	Raw           []byte // the commit object
	Signature     []byte // nil: unsigned
	SignedPayload []byte // exactly the raw bytes that the signature covers; nil: unsigned

	// Refs are the branches and tags from which the commit is reachable, by their full names, sorted; at most
	// maxRefsReported of RefCount. refs/remotes/… are branches that a clone remembers of its origin.
	Refs     []string
	RefCount int

	// Tags is every tag that is merged into the commit, sorted by name; only with NeedTags.
	Tags []Tag
}

// Tag is a tag that points to the commit or one of its ancestors.
type Tag struct {
	Name      string // without refs/tags/
	Object    string // id of what the ref points to
	Commit    string // the commit behind it
	When      int64  // committer time of Commit
	Annotated bool
	Tagger    Person // of an annotated tag

	Raw           []byte // the tag object; nil for a light tag
	Signature     []byte // nil: unsigned
	SignedPayload []byte // nil: unsigned

	// Problem is why the tag object cannot be relied upon: it is ambiguous, or was made under another name. Its
	// signature is not given then.
	Problem string
}

func personOf(p gitobj.Person) Person {
	return Person{Name: p.Name, Email: p.Email, When: p.When, Zone: p.Zone}
}

// gather fills in the facts.
func (c *Commit) gather(ctx context.Context) error {
	o := c.object
	c.facts = Facts{
		ID: c.id.String(), Tree: o.Tree.String(), ObjectFormat: c.id.Format().String(),
		Author: personOf(o.Author), Committer: personOf(o.Committer), Message: string(o.Message),
		Raw: o.Raw, Signature: o.Signature, SignedPayload: o.SignedPayload,
	}
	for _, p := range o.Parents {
		c.facts.Parents = append(c.facts.Parents, p.String())
	}
	g := newGraph(c.repo)
	names, err := g.reachedFrom(ctx, c.id)
	if err != nil {
		return err
	}
	c.facts.RefCount = len(names)
	c.facts.Refs = names[:min(len(names), maxRefsReported)]
	if c.opt.Need&NeedTags == 0 {
		return nil
	}
	c.facts.Tags, err = g.mergedTags(ctx, c.id)
	return err
}

// mergedTags returns the tags that are merged into the commit.
func (g *graph) mergedTags(ctx context.Context, id gitobj.ID) ([]Tag, error) {
	refs, err := g.repo.refs()
	if err != nil {
		return nil, err
	}
	// the tips are met first, so that they have a number below the length of what ancestors returns
	for _, ref := range refs {
		if _, _, err := g.tip(ref.id); err != nil {
			return nil, err
		}
	}
	ancestors, err := g.ancestors(ctx, g.meet(id))
	if err != nil {
		return nil, err
	}
	var tags []Tag
	for _, ref := range refs {
		name, ok := strings.CutPrefix(ref.name, "refs/tags/")
		if !ok {
			continue
		}
		commit, ok, err := g.tip(ref.id)
		if err != nil {
			return nil, err
		}
		if !ok || !ancestors[commit] {
			continue
		}
		if len(tags) == maxTagsReported {
			return nil, g.repo.inconclusive("more than %d tags: exceeds limit", maxTagsReported)
		}
		tag, err := g.repo.readTag(name, ref.id)
		if err != nil {
			return nil, err
		}
		tag.Commit, tag.When = g.nodes[commit].id.String(), g.nodes[commit].when
		tags = append(tags, tag)
	}
	slices.SortFunc(tags, func(a, b Tag) int { return cmp.Compare(a.Name, b.Name) })
	return tags, nil
}

// readTag reads the object that a tag's ref points to.
func (r *repository) readTag(name string, id gitobj.ID) (Tag, error) {
	tag := Tag{Name: name, Object: id.String()}
	t, raw, err := r.objects.TypeOf(id)
	if err != nil || t != gitobj.Tag {
		return tag, err
	}
	tag.Annotated, tag.Raw = true, raw
	o, err := gitobj.ParseTag(id, raw)
	if err != nil {
		tag.Problem = err.Error()
		return tag, nil
	}
	tag.Tagger = personOf(o.Tagger)
	// the signature covers the name inside: under another ref it would speak for another release
	if o.Name != name {
		tag.Problem = "tag object was made as " + fault.Quote(o.Name)
		return tag, nil
	}
	tag.Signature, tag.SignedPayload = o.Signature, o.SignedPayload
	return tag, nil
}
