package clock

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// program says the time, once for every line that it reads, and how long it has been running.
const program = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	begun := time.Now()
	go func() { // timers tell the time too, from inside the runtime
		for range time.Tick(time.Millisecond) {
		}
	}()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(time.Now().UnixMilli(), time.Since(begun).Milliseconds())
	}
}
`

// build compiles the program in dir with the overlay.
func build(t *testing.T, dir, bin string) {
	t.Helper()
	replace, err := Overlay(filepath.Join(dir, "overlay"))
	require.NoError(t, err)
	index, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), index, 0o600))
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", bin, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestTheClockOfAProcessIsSet(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n"), 0o600))
	bin, file := filepath.Join(dir, "program"), filepath.Join(dir, "clock")
	build(t, dir, bin)
	build(t, dir, bin) // with the files that are there
	require.NoError(t, Set(file, 0))
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), Variable+"="+file)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(out)
	tell := func() (ahead time.Duration, running int64) {
		_, err := io.WriteString(in, "\n")
		require.NoError(t, err)
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		now, since, _ := strings.Cut(strings.TrimSpace(line), " ")
		ms, err := strconv.ParseInt(now, 10, 64)
		require.NoError(t, err)
		running, err = strconv.ParseInt(since, 10, 64)
		require.NoError(t, err)
		return time.Until(time.UnixMilli(ms)), running
	}
	for _, offset := range []time.Duration{0, time.Hour, -90*time.Minute - 500*time.Millisecond, 0} {
		require.NoError(t, Set(file, offset))
		require.Eventually(t, func() bool {
			ahead, running := tell()
			assert.Less(t, running, int64(60_000), "the monotonic clock runs on")
			return (ahead - offset).Abs() < time.Second
		}, 10*time.Second, 10*time.Millisecond, offset)
	}
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}

func TestClocksThatCannotBeSet(t *testing.T) {
	require.Error(t, Set(filepath.Join(t.TempDir(), "no", "file"), 0))
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Overlay(filepath.Join(file, "below"))
	require.Error(t, err, "no folder for the overlay")
}

func TestAProcessWithoutItsClockDoesNotRun(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n"), 0o600))
	bin := filepath.Join(dir, "program")
	build(t, dir, bin)
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), Variable+"="+filepath.Join(dir, "absent"))
	output, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "open the clock")
	require.NoError(t, exec.Command(bin).Run(), "without the variable it is an ordinary program")
}
