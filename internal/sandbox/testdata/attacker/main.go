// Command attacker is what the tests run inside a sandbox. Every attack prints what it achieved, if anything, and ends
// with code 1 then; with 0 when everything was refused.
package main

import (
	"fmt"
	"os"
	"strings"
)

var attacks = map[string]func(args []string){
	"read-host":     readHost,
	"see-processes": seeProcesses,
	"write-inputs":  writeInputs,
	"proc":          procFiles,
	"descriptors":   descriptors,
	"devices":       deviceNodes,
	"calls":         calls,
	"namespaces":    namespaces,
	"sockets":       sockets,
	"powers":        powers,
	"init":          againstInit,
	"tricks":        tricks,
	"tool-exit":     toolExit,
	"tool-print":    toolPrint,
	"tool-env":      toolEnv,
	"tool-write":    toolWrite,
	"tool-read":     toolRead,
	"tool-sleep":    toolSleep,
	"tool-signal":   toolSignal,
	"tool-outputs":  outputs,
	"tool-daemon":   daemon,
	"tool-daemons":  toolDaemons,
	"tool-forks":    forks,
	"tool-memory":   memory,
	"tool-log":      flood,
	"tool-disk":     disk,
	"tool-spin":     toolSpin,
	"tool-stubborn": stubborn,
	"tool-connect":  connect,
	"tool-get":      get,
	"tool-identity": identity,
	"tool-list":     list,
	"tool-tty":      tty,
	"tool-run":      run,
	"tool-evade":    evade,
}

var achieved bool

// won reports something that must not be possible.
func won(format string, args ...any) {
	achieved = true
	fmt.Printf("ACHIEVED "+format+"\n", args...)
}

// want reports an error that is not one of the expected ones.
func want(what string, err error, expected ...error) {
	for _, e := range expected {
		if err == e {
			return
		}
	}
	won("%s: %v, want one of %v", what, err, expected)
}

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	name := os.Args[1]
	attack, ok := attacks[name]
	if !ok {
		fmt.Println("no such attack:", name)
		os.Exit(2)
	}
	attack(os.Args[2:])
	if achieved {
		os.Exit(1)
	}
	if !strings.HasPrefix(name, "tool-") {
		fmt.Println("refused:", name)
	}
}
