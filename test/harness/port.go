package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// Ports are below the range from which Linux takes the ports of outgoing connections: a client that dials a dead server
// again and again may otherwise be given that very port, connect to itself, and keep the server from coming back.
const (
	lowestPort  = 12_000
	highestPort = 31_999
	portTries   = 200
)

// claims holds the lock files of the ports this process was given. Closing one would free the port to another test
// process while a server that is being restarted is not listening, so they stay open until the process ends.
var claims struct {
	sync.Mutex
	files []*os.File
}

// freePort returns a loopback port that is not in use and that no other test process has claimed.
func freePort() (int, error) {
	dir := filepath.Join(os.TempDir(), "flashsale-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, fmt.Errorf("claim a port: %w", err)
	}
	for range portTries {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		if claimPort(dir, port) {
			return port, nil
		}
	}
	return 0, errors.New("claim a port: all that were tried are taken")
}

// Address returns a free loopback host:port for a listener that a test configures. No other test process gets it.
func Address(t testing.TB) string {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return loopback(port)
}

func claimPort(dir string, port int) bool {
	file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return false
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !listens(port) {
		_ = file.Close() // gives the lock up; the port belongs to someone else
		return false
	}
	claims.Lock()
	defer claims.Unlock()
	claims.files = append(claims.files, file)
	return true
}

func listens(port int) bool {
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
