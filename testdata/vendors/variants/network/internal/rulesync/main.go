// Rulesync fetches the newest rules before the programs are compiled.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

// The address is one for documentation (RFC 5737): nobody answers there.
func main() {
	conn, err := net.DialTimeout("tcp", "192.0.2.1:443", 2*time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rulesync:", err)
		os.Exit(1)
	}
	conn.Close()
}
