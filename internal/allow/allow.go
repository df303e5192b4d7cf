// Package allow is the closed list of differences that a vendor can declare and an auditor can allow.
//
// A recipe names them in [[artifact]] allow, a policy in [[rebuild.allow]]; one that only one of the two names is not
// used. This package holds the names and what each may forgive at most; internal/compare/pass and internal/compare/graft
// do the work. A name that is not here does not exist: recipe and policy refuse it. docs/passes.md explains each.
package allow

import "slices"

// A Difference is one that can be declared.
type Difference struct {
	Name      string
	Forgives  string // the bytes, exactly
	Maximum   string // the most that it may cover
	Grammar   string // what both values must be
	Signature bool   // an embedded signature: it also needs a signer that the policy knows
}

// The names of fields, orders and streams.
const (
	GzipHeader   = "gzip-header"
	GzipStream   = "gzip-stream"
	TarMtime     = "tar-mtime"
	TarOrder     = "tar-order"
	ZipMtime     = "zip-mtime"
	ZipOrder     = "zip-order"
	ZipStream    = "zip-stream"
	JarBuildKeys = "jar-manifest-build-keys"
	PycMtime     = "pyc-mtime"
	PETimestamp  = "pe-timestamp"
	ELFBuildID   = "elf-build-id"
	MachOUUID    = "macho-uuid"
	ArMtime      = "ar-mtime"
	DebMtime     = "deb-mtime"
	CpioMtime    = "cpio-mtime"
	PNGTime      = "png-time"
)

// The names of embedded signatures.
const (
	PESignature     = "pe-signature"
	MachOSignature  = "macho-signature"
	MachOAdHoc      = "macho-ad-hoc" // a signature that nobody made
	APKSignature    = "apk-signature"
	JarSignature    = "jar-signature"
	RPMSignature    = "rpm-signature"
	DebSignature    = "deb-signature"
	ModuleSignature = "module-signature"
	NuGetSignature  = "nuget-signature"
)

const aTime = "0, 1, or a second from 1980 to 2037"

// list is in the order of the documentation.
var list = []Difference{
	{Name: GzipHeader, Forgives: "MTIME, XFL and OS of a gzip header: bytes 4 to 9", Maximum: "6 bytes a stream",
		Grammar: aTime + "; XFL 0, 2 or 4; OS 0, 3, 7, 10, 11, 19 or 255. Name, comment and extra field must be the same"},
	{Name: GzipStream, Forgives: "the deflate stream of a gzip file, and checksum and length behind it, which follow from the content",
		Maximum: "one side at most 5/4 of the other plus 1 KiB",
		Grammar: "expands to the same content; no empty blocks but flushes, no codes for symbols that do not occur, padding of zero bits"},
	{Name: TarMtime, Forgives: "the mtime of a tar header, and its mtime, atime and ctime records of pax; the header checksum follows",
		Maximum: "12 bytes a header, 40 a record", Grammar: aTime + ", in octal digits; a record has at most 9 digits of a fraction"},
	{Name: TarOrder, Forgives: "the order of the members of a tar", Maximum: "no bytes", Grammar: "the same names on both sides, all different even without regard to case"},
	{Name: ZipMtime, Forgives: "MS-DOS time and date, and the times of the extended timestamp field, in local header and directory",
		Maximum: "4 bytes each, 7 times a member", Grammar: "a date that exists; " + aTime},
	{Name: ZipOrder, Forgives: "the order of the members of a zip; offsets follow", Maximum: "no bytes", Grammar: "the same names on both sides, all different even without regard to case; the directory in the order of the members"},
	{Name: ZipStream, Forgives: "the deflate stream of a zip member; sizes and offsets follow", Maximum: "one side at most 5/4 of the other plus 1 KiB",
		Grammar: "as gzip-stream"},
	{Name: JarBuildKeys, Forgives: "the values of Bnd-LastModified, Build-Date, Build-Jdk, Build-Jdk-Spec, Build-Time, Build-Timestamp, Built-By, Built-Date, Created-By and Tool in the main section of META-INF/MANIFEST.MF, and whether they are there",
		Maximum: "72 bytes a line, each key once", Grammar: "one line of letters, digits, blanks and . _ : + ( ) / , @ -"},
	{Name: PycMtime, Forgives: "the source time of a Python bytecode file: bytes 8 to 11", Maximum: "4 bytes", Grammar: aTime + "; not for files checked by hash"},
	{Name: PETimestamp, Forgives: "TimeDateStamp of the file header, the export directory and the debug directory of a PE file; its checksum follows",
		Maximum: "4 bytes each, 18 fields", Grammar: "any 32 bits outside of executable sections: linkers write hashes there"},
	{Name: ELFBuildID, Forgives: "the description of the one NT_GNU_BUILD_ID note of an ELF file", Maximum: "20 bytes",
		Grammar: "8, 16 or 20 bytes, as long on both sides, in no segment that can be executed and no other section"},
	{Name: MachOUUID, Forgives: "LC_UUID of a Mach-O file", Maximum: "16 bytes a slice", Grammar: "a UUID of version 3, 4 or 5"},
	{Name: ArMtime, Forgives: "the time of an ar member header; not in a Debian package", Maximum: "12 bytes a member", Grammar: aTime + ", in decimal digits"},
	{Name: DebMtime, Forgives: "the time of an ar member header of a Debian package", Maximum: "12 bytes a member, 16 members", Grammar: aTime + ", in decimal digits"},
	{Name: CpioMtime, Forgives: "the time of a member header of a cpio archive", Maximum: "8 bytes a member", Grammar: aTime + ", in hexadecimal digits"},
	{Name: PNGTime, Forgives: "the one tIME chunk of a PNG; its checksum follows", Maximum: "7 bytes", Grammar: "a date and time that exist"},
	{Name: PESignature, Signature: true, Forgives: "Authenticode: the certificate table at the end of a PE file, its directory entry, and the checksum",
		Maximum: "1 MiB", Grammar: "one signature in DER over the digest, and the page hashes where it holds some; padding of zeros"},
	{Name: MachOAdHoc, Forgives: "the ad-hoc code signature of a Mach-O file, each slice, and the fields that say where it lies",
		Maximum: "1 MiB a slice", Grammar: "digests that are right, of every page and part; no entitlements that the build does not have; nothing else"},
	{Name: MachOSignature, Signature: true, Forgives: "the code signature of a Mach-O file, each slice, and the fields that say where it lies", Maximum: "1 MiB a slice",
		Grammar: "as for macho-ad-hoc, and one CMS signature in DER over the code directory; requirements that parse; an Info.plist only if it lies in the program"},
	{Name: DebSignature, Signature: true, Forgives: "the members _gpgorigin, _gpgmaint, _gpgarchive and _gpgbuilder behind the last member of a Debian package",
		Maximum: "1 MiB, packages of 64 MiB", Grammar: "each one OpenPGP signature over the other members"},
	{Name: ModuleSignature, Signature: true, Forgives: "the signature behind a kernel module, with its trailer", Maximum: "1 MiB, modules of 64 MiB",
		Grammar: "one PKCS#7 signature in DER over the module"},
	{Name: JarSignature, Signature: true, Forgives: "the members META-INF/*.SF and *.RSA, *.EC or *.DSA of a jar, and what its manifest says of digests",
		Maximum: "16 MiB", Grammar: "one signer for each; every member has its right SHA-256, SHA-384 or SHA-512 digest; nothing else is said"},
	{Name: APKSignature, Signature: true, Forgives: "the signing block of an Android package, and its jar signature where it has one",
		Maximum: "1 MiB", Grammar: "blocks of version 2 and 3 and zeros that align; known attributes only; every digest right"},
	{Name: NuGetSignature, Signature: true, Forgives: "the member .signature.p7s of a NuGet package", Maximum: "1 MiB",
		Grammar: "one signature in DER over the digest of the package without it"},
	{Name: RPMSignature, Signature: true, Forgives: "the signature header of an RPM package", Maximum: "1 MiB",
		Grammar: "known tags only, sizes and digests that are right, OpenPGP signatures over the header, reserved space of zeros"},
}

// Lookup returns the difference of that name.
func Lookup(name string) (Difference, bool) {
	i := slices.IndexFunc(list, func(d Difference) bool { return d.Name == name })
	if i < 0 {
		return Difference{}, false
	}
	return list[i], true
}

// All returns the list.
func All() []Difference { return slices.Clone(list) }
