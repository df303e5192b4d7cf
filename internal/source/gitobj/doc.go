// Package gitobj reads the object store of a git repository that nobody vouches for.
//
// It promises that an object is never handed out under a wrong id: whatever is read, loose or packed, whole or built
// from deltas, is hashed again and its size checked before the caller sees a byte of it. SHA-1 is computed with
// collision detection, so that a block of a known collision attack is refused although its id is right. An index or
// a base that lies can therefore only make a read fail.
//
// Nothing here trusts a length, an offset or a count: every one is bounded by limits.go before memory is taken for it,
// the expanded size of each stream is known beforehand and enforced, and files are read with pread, so that a file
// that is truncated or rewritten while it is read gives an error and not a fault.
//
// The formats are those of gitformat-pack(5) (index version 2), gitrepository-layout(5), and of git's own object
// headers; deflate is RFC 1951 within RFC 1950. Commits, tags and trees are parsed from their raw bytes, and more
// strictly than git does: what could be read in two ways is refused.
package gitobj
