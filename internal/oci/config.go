package oci

import (
	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Config is what an image's configuration says of its root (image specification, config.md).
type Config struct {
	OS, Architecture string
	DiffIDs          []string // of the layers, lowest first: digests of what they expand to
	Env              []string // NAME=value
}

// ParseConfig reads a configuration whose digest the caller has verified. Like a manifest it has one reading only.
func ParseConfig(object string, raw []byte) (*Config, error) {
	c, err := readConfig(raw)
	if err != nil {
		return nil, fault.Failf(object, "malformed configuration: %w", err)
	}
	return c, nil
}

func readConfig(raw []byte) (*Config, error) {
	v, err := strictjson.Parse(raw, manifestLimits)
	if err != nil {
		return nil, err
	}
	o, err := v.Open("os", "architecture", "rootfs", "config")
	if err != nil {
		return nil, err
	}
	c := &Config{}
	if c.OS, err = text(o, "os"); err != nil {
		return nil, err
	}
	if c.Architecture, err = text(o, "architecture"); err != nil {
		return nil, err
	}
	root, err := o.Get("rootfs").Open("type", "diff_ids")
	if err != nil {
		return nil, err
	}
	if c.DiffIDs, err = texts(root.Get("diff_ids")); err != nil {
		return nil, err
	}
	for _, d := range c.DiffIDs {
		if err := checkDigest(d); err != nil {
			return nil, err
		}
	}
	if v := o.Get("config"); !v.Absent() {
		inner, err := v.Open("Env")
		if err != nil {
			return nil, err
		}
		if env := inner.Get("Env"); !env.Absent() {
			c.Env, err = texts(env)
			return c, err
		}
	}
	return c, nil
}
