// Package source opens one commit of a git repository that nobody vouches for, says what is known of it, and writes its
// tree to disk.
//
// It promises that what it says and writes is exactly what the commit's id stands for: every object is hashed again
// (package gitobj), trees are parsed from their raw bytes and refused where two readers could differ, and the exported
// tree carries a SHA-256 digest of its own beside the commit's id. It never runs git, a hook, a filter or anything
// else, follows no link, and reads no more of a repository's configuration than the format of its objects.
//
// A local repository is read where it lies; its work tree, index and local changes do not matter. One that redirects
// elsewhere (alternates, a .git file, grafts, replace refs) is not followed: the answer would then depend on something
// that was not named. A remote one is fetched over https or ssh into a private store, and read from there in the same way,
// so that neither the server nor a poisoned cache can change what an id means. go-git speaks to servers that name objects
// with SHA-1; where they are named with SHA-256, this package does so itself.
//
// # The tree digest
//
// [Tree.SHA256] is the SHA-256 of a text that begins with the line "glassbuild tree 1" and then has one line for each
// file, link and submodule of the exported tree, sorted by the bytes of the path:
//
//	MODE SP DIGEST SP PATH LF
//
// MODE is git's: 100644, 100755, 120000 or 160000. DIGEST is the SHA-256, in hexadecimal, of what was written: a file's
// content or a link's text; for a submodule it is the id of its commit. PATH is relative to the root, with slashes.
// Names hold no control characters, so that every line is unambiguous. The files of a submodule are listed below its
// path like all others. Directories are implied by what they hold; an empty tree is not written, as git does not.
package source
