// Package docs holds the pages of this folder, so that the program can explain itself where no network is.
package docs

import "embed"

// Pages are the Markdown files of this folder.
//
//go:embed *.md
var Pages embed.FS
