package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func toolExit(a []string) { n, _ := strconv.Atoi(a[0]); os.Exit(n) }

func toolPrint(a []string) { fmt.Print(strings.Join(a, " ")) }

func toolEnv(_ []string) { fmt.Print(strings.Join(os.Environ(), "\n")) }

func toolWrite(a []string) { check(os.WriteFile(a[0], []byte(a[1]), 0o644)) }

func toolRead(a []string) { b, err := os.ReadFile(a[0]); check(err); os.Stdout.Write(b) }

func toolSleep(_ []string) { time.Sleep(time.Hour) }

func toolSignal(a []string) {
	n, _ := strconv.Atoi(a[0])
	_ = unix.Kill(os.Getpid(), unix.Signal(n))
	time.Sleep(time.Hour)
}

func toolDaemons(_ []string) { n, _ := os.ReadDir("/proc"); fmt.Print(len(pids(n))) }

func toolSpin(_ []string) {
	for {
	}
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func pids(entries []os.DirEntry) (out []int) {
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// outputs fills a folder with one of everything.
func outputs(a []string) {
	dir := a[0]
	at := func(name string) string { return filepath.Join(dir, name) }
	check(os.MkdirAll(at("bin/deep"), 0o755))
	check(os.WriteFile(at("bin/tool"), []byte("tool"), 0o755))
	check(os.WriteFile(at("bin/deep/data"), []byte("data"), 0o600))
	check(os.WriteFile(at("unreadable"), []byte("secret"), 0o600))
	check(os.Chmod(at("unreadable"), 0))
	check(os.Symlink("/etc/passwd", at("link")))
	check(os.Symlink("bin", at("linkdir")))
	check(unix.Mkfifo(at("fifo"), 0o644))
	l, err := net.Listen("unix", at("socket"))
	check(err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for name, mode := range map[string]uint32{"setuid": 0o4755, "setgid": 0o2755, "sticky": 0o1644} {
		check(os.WriteFile(at(name), []byte(name), 0o644))
		check(unix.Chmod(at(name), mode))
	}
	check(os.WriteFile(at("name\nPASS\x1b[2J\xff"), []byte("strange"), 0o644))
	check(os.Chtimes(at("bin/tool"), time.Unix(1, 0), time.Unix(1700000000, 0)))
}

// daemon leaves a process behind that has its own session and no parent.
func daemon(a []string) {
	if len(a) > 0 && a[0] == "child" {
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
		for i := 0; ; i++ {
			_ = os.WriteFile("/tmp/alive", []byte(strconv.Itoa(i)), 0o644)
			time.Sleep(time.Millisecond)
		}
	}
	c := exec.Command("/proc/self/exe", "tool-daemon", "child")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(c.Start())
	for {
		if _, err := os.Stat("/tmp/alive"); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// forks makes processes that make processes, until the first refusal.
func forks([]string) {
	for {
		c := exec.Command("/proc/self/exe", "tool-forks")
		if err := c.Start(); err != nil {
			time.Sleep(200 * time.Millisecond)
			os.Exit(1)
		}
	}
}

func memory([]string) {
	var all [][]byte
	for {
		block := make([]byte, 8<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		all = append(all, block)
	}
}

func flood([]string) {
	line := bytes.Repeat([]byte("y\n"), 32<<10)
	for {
		if _, err := os.Stdout.Write(line); err != nil {
			os.Exit(1)
		}
	}
}

func disk(a []string) {
	f, err := os.Create(a[0])
	check(err)
	block := make([]byte, 1<<20)
	for {
		if _, err := f.Write(block); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func stubborn([]string) {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

// connect tries to reach each address and prints the error.
func connect(a []string) {
	for _, address := range a {
		network, rest, _ := strings.Cut(address, "!")
		c, err := net.DialTimeout(network, rest, 5*time.Second)
		if err == nil {
			c.Close()
		}
		fmt.Printf("%s %v\n", address, err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	check(err)
	fmt.Println("sendto", unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{198, 51, 100, 7}}))
}

func get(a []string) {
	r, err := http.Get(a[0])
	check(err)
	defer r.Body.Close()
	_, err = io.Copy(os.Stdout, r.Body)
	check(err)
}

func identity([]string) {
	host, _ := os.Hostname()
	old := unix.Umask(0)
	wd, _ := os.Getwd()
	var set unix.CPUSet
	check(unix.SchedGetaffinity(0, &set))
	var u unix.Utsname
	check(unix.Uname(&u))
	var boot, mono unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot))
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono))
	passwd, _ := os.ReadFile("/etc/passwd")
	first, _, _ := strings.Cut(string(passwd), "\n")
	fmt.Printf("host %s\ndomain %s\nuid %d\ngid %d\numask %03o\ncpus %d\ndir %s\nboot %d\nmono %d\npasswd %s\n",
		host, unix.ByteSliceToString(u.Domainname[:]), os.Getuid(), os.Getgid(), old, set.Count(), wd, boot.Sec, mono.Sec, first)
}

// list prints a tree as the kernel lists it, unsorted.
func list(a []string) {
	f, err := os.Open(a[0])
	check(err)
	names, err := f.Readdirnames(-1)
	check(err)
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(a[0], name))
		check(err)
		link, _ := os.Readlink(filepath.Join(a[0], name))
		fmt.Printf("%s %v %d %s\n", name, info.Mode(), info.ModTime().Unix(), link)
	}
}

func tty([]string) {
	size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	check(err)
	fmt.Printf("rows %d columns %d\n", size.Row, size.Col)
	session, err := unix.IoctlGetInt(0, unix.TIOCGSID)
	fmt.Println("controlling", err == nil && session == os.Getpid())
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	fmt.Println("ready")
	<-interrupted
	fmt.Println("interrupted")
}

// run executes a program under another name.
func run(a []string) {
	c := exec.Command(a[0], a[1:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		fmt.Println(err)
		os.Exit(c.ProcessState.ExitCode())
	}
}
