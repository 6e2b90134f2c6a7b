// Package clock gives a process a clock that a test can set while the process runs.
//
// Overlay names files for go build -overlay. They replace one line of the standard library, so that time.Now adds an
// offset, which a file holds. That reaches every caller, the libraries included, without cgo, containers, privileges or a
// hook in the sources; libfaketime cannot reach a static Go binary, because it asks the kernel past the C library. Timers
// and durations run on the monotonic clock, as they do when a real clock is set.
package clock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Variable names, in the environment of the process, the file that holds the offset: eight bytes, nanoseconds, little
// end first.
const Variable = "FLASHSALE_CLOCK_FILE"

// The replacement in time.go.
const (
	original = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	shifted  = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec, nsec = shifted(sec, nsec)\n"
)

// source is the file that is added to package time. The offset is read from mapped memory: the runtime calls time.Now where
// no system call may be made.
const source = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var shiftNano = mapShift()

// mapShift maps the eight bytes of the file, and ends the process when it cannot.
func mapShift() *int64 {
	name, given := syscall.Getenv("` + Variable + `")
	if !given {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic("open the clock " + name + ": " + err.Error())
	}
	defer syscall.Close(fd)
	memory, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map the clock " + name + ": " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&memory[0]))
}

func shifted(sec int64, nsec int32) (int64, int32) {
	total := int64(nsec) + atomic.LoadInt64(shiftNano)
	sec += total / 1_000_000_000
	if total %= 1_000_000_000; total < 0 {
		sec, total = sec-1, total+1_000_000_000
	}
	return sec, int32(total)
}
`

// Overlay returns what go build has to replace, in the form of harness.Build: files of the toolchain's standard library,
// to files in work. That folder outlives the run, so that the compiled standard library is found again.
func Overlay(work string) (map[string]string, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask for the toolchain: %w", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	text, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		return nil, fmt.Errorf("read the standard library: %w", err)
	}
	changed := strings.Replace(string(text), original, shifted, 1)
	if changed == string(text) {
		return nil, errors.New("time.Now of this toolchain looks different: the clock cannot be replaced")
	}
	replace := map[string]string{}
	for name, content := range map[string]string{"time.go": changed, "shifted.go": source} {
		path := filepath.Join(work, name)
		if err := writeOnce(path, content); err != nil {
			return nil, err
		}
		replace[filepath.Join(folder, name)] = path
	}
	return replace, nil
}

// writeOnce does not rewrite a file with the same content: the build cache compares modification times.
func writeOnce(path, content string) error {
	if present, err := os.ReadFile(path); err == nil && string(present) == content {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// Set writes an offset into the mapped file; the next time.Now of the process adds it. Set overwrites the file in place,
// because a process has mapped this very file.
func Set(path string, offset time.Duration) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("set a clock: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(offset.Nanoseconds())), 0)
	return err
}
