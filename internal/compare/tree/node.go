// Package tree is the outcome of a comparison: a tree of nodes, each with a status, the places on both sides, and the
// causes of what differs, and its renderings as text, JSON, HTML and Markdown.
//
// A node is the pair that was asked about, a member of an archive or directory, a section or table of an executable,
// or a function. What is identical, and what only moved, is counted in the node above it and not listed: a report is as long as
// the number of causes, never as the number of bytes or of moved addresses.
//
// Nothing here decides. The zero value of a status says that nobody has looked.
package tree

import "sort"

// Status says how the two sides of a node relate.
type Status string

// The statuses of nodes. Equivalent is what differs in nothing but what was declared and accounted for, or, for parts
// of executables, in nothing but where things lie.
const (
	Identical   Status = "identical"
	Equivalent  Status = "equivalent"
	Different   Status = "different"
	OnlyShipped Status = "only-in-shipped"
	OnlyRebuilt Status = "only-in-rebuilt"
)

// Kind says what a node stands for.
type Kind string

// The kinds of nodes.
const (
	File     Kind = "file"     // the pair that was asked about
	Member   Kind = "member"   // of an archive, package, image or directory
	Section  Kind = "section"  // of an executable, its headers included
	Function Kind = "function" //
)

// A Range is a run of bytes of one side.
type Range struct {
	Offset int64 `json:"offset"`
	Size   int64 `json:"size"`
}

// A Side is what one side has of a node. Offsets are those in the file or member that the node, or the nearest file or
// member above it, is.
type Side struct {
	Size   int64   `json:"size"`
	SHA256 string  `json:"sha256,omitempty"` // of files and members
	Place  string  `json:"place,omitempty"`  // file:line of a function, where the difference is
	Ranges []Range `json:"ranges,omitempty"` // of what differs; every differing byte lies in one
}

// A Cause says why two sides differ. IDs are stable, see Kinds: reports, policies and documents refer to them.
type Cause struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`              // one line
	Details []string `json:"details,omitempty"` // one line for each thing that changed; bounded
	Remedy  string   `json:"remedy,omitempty"`  // what to change so that it goes away; "" when it is the content itself
}

// A Node explains one pair: how the sides relate, and why.
type Node struct {
	Path    string  `json:"path"` // from the pair down, "" for the pair itself; of functions their name
	Kind    Kind    `json:"kind"`
	Status  Status  `json:"status"`
	Format  string  `json:"format,omitempty"`  // told from the bytes: "elf", "zip", …
	Shipped *Side   `json:"shipped,omitempty"` // nil for what is only in the rebuilt
	Rebuilt *Side   `json:"rebuilt,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`  // how many bytes differ, those of the longer side's rest included
	Causes  []Cause `json:"causes,omitempty"` // the most telling one first
	View    []Line  `json:"view,omitempty"`   // both sides next to each other where they differ: disassembly, text or hex; bounded
	Nodes   []*Node `json:"nodes,omitempty"`  // those that are neither identical nor equivalent, or that have causes
	Same    int     `json:"identical"`        // nodes below that are identical and not listed
	Moved   int     `json:"equivalent"`       // nodes below that are equivalent and not listed
	More    int     `json:"more,omitempty"`   // nodes below that differ and that a limit left out
}

// A Line shows both sides of one line, "" where only the other has one.
type Line struct {
	Shipped string `json:"shipped"`
	Rebuilt string `json:"rebuilt"`
	Same    bool   `json:"same,omitempty"`
}

// Add puts a node below n: counted where it is identical or equivalent and says nothing more, listed otherwise.
func (n *Node) Add(child *Node) {
	switch {
	case child.Status == Identical:
		n.Same++
	case child.Status == Equivalent && len(child.Causes) == 0 && len(child.Nodes) == 0:
		n.Moved++
	case len(n.Nodes) >= maxNodes:
		n.More++
	default:
		n.Nodes = append(n.Nodes, child)
	}
}

// Walk calls f for n and every node below it, n first.
func (n *Node) Walk(f func(*Node)) {
	f(n)
	for _, c := range n.Nodes {
		c.Walk(f)
	}
}

// Find returns the node at a path, nil when none is listed there.
func (n *Node) Find(path string) *Node {
	var found *Node
	n.Walk(func(c *Node) {
		if found == nil && c.Path == path && c.Kind != Function {
			found = c
		}
	})
	return found
}

// Top returns the one most important cause and the node that has it. It reports false for a tree without causes.
func (n *Node) Top() (*Node, Cause, bool) {
	var top *Node
	n.Walk(func(c *Node) {
		if len(c.Causes) > 0 && (top == nil || Rank(c.Causes[0].ID) < Rank(top.Causes[0].ID)) {
			top = c
		}
	})
	if top == nil {
		return nil, Cause{}, false
	}
	return top, top.Causes[0], true
}

// Sort puts the nodes with the most telling causes first, at every level; what is equally telling keeps its order. The
// causes of one node keep the order that whoever found them gave them.
func (n *Node) Sort() {
	for _, c := range n.Nodes {
		c.Sort()
	}
	ranks := make(map[*Node]int, len(n.Nodes))
	for _, c := range n.Nodes {
		ranks[c] = c.rank()
	}
	sort.SliceStable(n.Nodes, func(i, j int) bool { return ranks[n.Nodes[i]] < ranks[n.Nodes[j]] })
}

// rank of a node is that of the most telling cause in it.
func (n *Node) rank() int {
	if _, c, ok := n.Top(); ok {
		return Rank(c.ID)
	}
	return len(kinds)
}
