// Package engine reads detection rules and matches files against them.
package engine

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// MaxRuleFile is the largest rule file that Parse accepts.
const MaxRuleFile = 1 << 20

// Severities in rising order.
var Severities = []string{"info", "low", "medium", "high"}

// Rule is one detection rule as it is written.
type Rule struct {
	ID       string   `toml:"id" json:"id"`
	Name     string   `toml:"name" json:"name"`
	Severity string   `toml:"severity" json:"severity"`
	Match    string   `toml:"match" json:"match,omitempty"`
	SHA256   []string `toml:"sha256" json:"sha256,omitempty"`
	Text     []string `toml:"text" json:"text,omitempty"`
	Hex      []string `toml:"hex" json:"hex,omitempty"`
}

// Parse reads the rules of one file; name is used in errors. Unknown keys are errors.
func Parse(name string, data []byte) ([]Rule, error) {
	if len(data) > MaxRuleFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, MaxRuleFile)
	}
	var file struct {
		Rule []Rule `toml:"rule"`
	}
	meta, err := toml.Decode(string(data), &file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: unknown key %q", name, unknown[0].String())
	}
	for _, r := range file.Rule {
		if err := r.Validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return file.Rule, nil
}

// Validate tells what is wrong with a rule.
func (r Rule) Validate() error {
	switch {
	case r.ID == "":
		return errors.New("rule without an id")
	case r.Name == "":
		return fmt.Errorf("rule %s: no name", r.ID)
	case !slices.Contains(Severities, r.Severity):
		return fmt.Errorf("rule %s: unknown severity %q", r.ID, r.Severity)
	case r.Match != "" && r.Match != "any" && r.Match != "all":
		return fmt.Errorf("rule %s: match is any or all, not %q", r.ID, r.Match)
	case len(r.SHA256)+len(r.Text)+len(r.Hex) == 0:
		return fmt.Errorf("rule %s: nothing to match", r.ID)
	}
	for _, sum := range r.SHA256 {
		if b, err := hex.DecodeString(sum); err != nil || len(b) != 32 || strings.ToLower(sum) != sum {
			return fmt.Errorf("rule %s: %q is not a SHA-256 digest", r.ID, sum)
		}
	}
	if slices.Contains(r.Text, "") {
		return fmt.Errorf("rule %s: empty text", r.ID)
	}
	for _, h := range r.Hex {
		if _, err := parseHex(h); err != nil {
			return fmt.Errorf("rule %s: %w", r.ID, err)
		}
	}
	return nil
}
