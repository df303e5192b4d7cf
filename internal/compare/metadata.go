package compare

import (
	"fmt"
	"sort"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// A MetadataDifference is one property of a member, beside its content, in which two archives differ.
type MetadataDifference struct {
	Property string `json:"property"` // "type", "mode", "owner", "mtime", "link", "attribute NAME"
	Shipped  string `json:"shipped"`
	Rebuilt  string `json:"rebuilt"`
}

// Grave tells whether the property can change what the file may do: nothing may ever forgive it.
func (d MetadataDifference) Grave() bool { return d.Property != "mtime" }

// Metadata compares everything of two members but their content. Nothing is normalised.
func Metadata(shipped, rebuilt *artifact.Member) []MetadataDifference {
	var all []MetadataDifference
	add := func(property, a, b string) {
		if a != b {
			all = append(all, MetadataDifference{property, a, b})
		}
	}
	ownerOf := func(m *artifact.Member) string {
		s := fmt.Sprintf("%d:%d", m.UID, m.GID)
		if m.User != "" || m.Group != "" {
			s += " " + m.User + ":" + m.Group
		}
		return s
	}
	add("type", shipped.Type.String(), rebuilt.Type.String())
	add("mode", fmt.Sprintf("%04o", shipped.Mode), fmt.Sprintf("%04o", rebuilt.Mode))
	add("owner", ownerOf(shipped), ownerOf(rebuilt))
	add("mtime", fmt.Sprint(shipped.ModTime), fmt.Sprint(rebuilt.ModTime))
	add("link", shipped.Link, rebuilt.Link)
	names := make(map[string]bool)
	for name := range shipped.Xattrs {
		names[name] = true
	}
	for name := range rebuilt.Xattrs {
		names[name] = true
	}
	var sorted []string
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	for _, name := range sorted {
		a, inShipped := shipped.Xattrs[name]
		b, inRebuilt := rebuilt.Xattrs[name]
		if inShipped != inRebuilt || a != b {
			all = append(all, MetadataDifference{"attribute " + name, present(a, inShipped), present(b, inRebuilt)})
		}
	}
	return all
}

func present(value string, ok bool) string {
	if !ok {
		return "absent"
	}
	return fmt.Sprintf("%+q", value)
}

// MetadataFault returns the refusal of a member whose metadata differ.
func MetadataFault(member string, d MetadataDifference) *fault.Error {
	return fault.Failf(fault.Quote(member), "metadata differs: %s %s shipped, %s rebuilt", fault.Quote(d.Property), fault.Quote(d.Shipped), fault.Quote(d.Rebuilt))
}
