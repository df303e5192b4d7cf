// Package debian reads what a Debian archive says of itself, and decides which packages a build root needs.
//
// What it promises:
//
//   - A Release file counts only when a key that the caller names signed exactly its bytes (InRelease, the cleartext signature
//     framework of RFC 9580, section 7, with nothing before or after it). From it hang, by SHA-256, the Packages index and
//     from that every package: no other digest is read.
//   - Indexes, control files and the system's apt sources are read strictly and within the limits of limits.go. A field that
//     stands twice in one paragraph, a name that is no package name, a path that climbs, is refused.
//   - Resolve is a function of the index and the wishes alone: the same two give the same list, on every machine.
//
// It opens no connection and runs nothing. Formats: deb-control(5), deb-version(7), deb822(5), sources.list(5), and the
// repository format of https://wiki.debian.org/DebianRepository/Format.
package debian
