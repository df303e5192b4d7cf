// Package gomod fetches Go modules as the user's own Go configuration says and checks them against the checksum
// database, outside the sandbox and without the go command's help. It is the one room for that configuration, for the
// module proxy protocol, and for the way to the checksum database.
//
// What it promises:
//
//   - The configuration is read from the environment and from the files that the go command reads (https://go.dev/ref/mod#environment-variables).
//     Nothing is executed for it, and no go command need be installed.
//   - Which proxies are asked, in which order and when the next one is tried follows GOPROXY, GONOPROXY and GOPRIVATE as
//     https://go.dev/ref/mod#goproxy-protocol defines them. No proxy is known to this package. "direct" is not followed: it would
//     run a version control program on what a stranger's server says.
//   - A module zip or go.mod file is "verified" only when its hash (https://go.dev/ref/mod#go-sum-files) stands in a
//     record that the checksum database signed and whose inclusion in the database's tree was proved.
//   - A module that the user's GONOSUMDB or GOPRIVATE names is reported as private, one that the database does not answer for as
//     unknown: never as verified. A different hash is a mismatch.
//   - Vendored files are compared with the module zip byte by byte (CheckVendor).
//   - Zips are read with the limits of golang.org/x/mod/zip, whatever they declare.
package gomod
