// Package rules holds the rules that are compiled into the programs.
package rules

import "embed"

// Files are the rule files of this release.
//
//go:embed *.toml
var Files embed.FS
