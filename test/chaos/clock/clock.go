// Package clock builds our binary with a clock that the fault suite can set while it runs.
//
// The build replaces one line of the standard library by go build -overlay: time.Now adds an offset that a file holds.
// That reaches every caller, the libraries included, without cgo, containers, privileges or a hook in the sources;
// libfaketime cannot reach a static Go binary, because it asks the kernel past the C library. Timers and durations run on
// the monotonic clock, as they do when a real clock is set.
package clock

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Variable names, in the environment of the process, the file that holds the offset in nanoseconds.
const Variable = "FLASHSALE_CLOCK_FILE"

// What is replaced in time.go, and by what.
const (
	original = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	shifted  = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec, nsec = shifted(sec, nsec, mono)\n"
)

// source is the file that joins the package time.
const source = `package time

import (
	"sync/atomic"
	"syscall"
)

var (
	shiftFile, _ = syscall.Getenv("` + Variable + `")
	shiftRead    atomic.Int64
	shiftNano    atomic.Int64
)

func shifted(sec int64, nsec int32, mono int64) (int64, int32) {
	if shiftFile == "" {
		return sec, nsec
	}
	if last := shiftRead.Load(); mono-last > 20_000_000 && shiftRead.CompareAndSwap(last, mono) {
		readShift()
	}
	total := int64(nsec) + shiftNano.Load()
	sec += total / 1_000_000_000
	if total %= 1_000_000_000; total < 0 {
		sec, total = sec-1, total+1_000_000_000
	}
	return sec, int32(total)
}

// readShift keeps the last offset while the file cannot be read.
func readShift() {
	fd, err := open(shiftFile)
	if err != nil {
		return
	}
	defer closefd(fd)
	var buf [24]byte
	n, err := read(fd, buf[:])
	if err != nil || n <= 0 {
		return
	}
	var value int64
	negative := buf[0] == '-'
	for i := 0; i < n; i++ {
		if c := buf[i]; c >= '0' && c <= '9' {
			value = value*10 + int64(c-'0')
		}
	}
	if negative {
		value = -value
	}
	shiftNano.Store(value)
}
`

// Build compiles the package in root to out. work is a folder that outlives the run, so that the compiled standard
// library is found again.
func Build(root, work, out string, pkg string) error {
	overlay, err := write(work)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", out, pkg)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build with a clock that can be set: %w\n%s", err, output)
	}
	return nil
}

// write makes the overlay for the toolchain that is installed and returns its path.
func write(work string) (string, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the toolchain: %w", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	text, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		return "", fmt.Errorf("read the standard library: %w", err)
	}
	changed := strings.Replace(string(text), original, shifted, 1)
	if changed == string(text) {
		return "", errors.New("time.Now of this toolchain looks different: the clock cannot be replaced")
	}
	replace := map[string]string{}
	for name, content := range map[string]string{"time.go": changed, "shifted.go": source} {
		path := filepath.Join(work, name)
		if err := writeOnce(path, content); err != nil {
			return "", err
		}
		replace[filepath.Join(folder, name)] = path
	}
	index, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(work, "overlay.json")
	return path, writeOnce(path, string(index))
}

// writeOnce leaves a file that is right already alone: the build cache looks at its time.
func writeOnce(path, content string) error {
	if present, err := os.ReadFile(path); err == nil && string(present) == content {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// Set writes an offset where a process reads it; the process follows within some tens of milliseconds. The file is
// replaced whole, so that nobody reads half a number.
func Set(path string, offset time.Duration) error {
	if err := os.WriteFile(path+".next", fmt.Appendf(nil, "%d\n", offset.Nanoseconds()), 0o644); err != nil {
		return fmt.Errorf("set a clock: %w", err)
	}
	return os.Rename(path+".next", path)
}
