package sim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Sales run one after the other on one processor. That is twice as fast as on two, because no goroutine has to wake another
// processor, and goroutines run in the same order when a seed runs again. Two processors run two processes.
var (
	shares = flag.Int("sim.shares", runtime.NumCPU(), "processes that share the sales")
	step   = flag.Uint64("sim.step", 0, "distance from one seed to the next; set for the processes that share the sales")
)

// Names of counts that this file reads.
const (
	sold    = "sales: all"
	cpuTime = "nanoseconds of processors"
)

// tallied begins the line in which a process reports the results of its share.
const tallied = "TALLY "

func TestSales(t *testing.T) {
	began := time.Now()
	var all tally
	switch {
	case *step > 0:
		endWithParent()
		report, err := json.Marshal(alone(t, *step, *sales))
		require.NoError(t, err)
		fmt.Println(tallied + string(report))
		return
	case *shares > 1 && *sales > 1 && !*telling:
		all = shared(t, min(*shares, *sales))
	default:
		all = alone(t, 1, *sales)
	}
	took, n := time.Since(began), float64(all[sold])
	cpu := time.Duration(all[cpuTime])
	delete(all, cpuTime)
	t.Logf("seeds %d to %d: %.0f sales in %v, %.0f a minute, %.1f seconds of processors for 1,000\n%s", *firstSeed,
		*firstSeed+uint64(*sales)-1, n, took.Round(time.Millisecond), n/took.Minutes(), cpu.Seconds()*1000/n, all)
}

// alone runs sales in this process.
func alone(t *testing.T, step uint64, n int) tally {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	before := ownTime(t)
	all := sell(t, *firstSeed, step, n)
	all[cpuTime] = int64(ownTime(t) - before)
	return all
}

// ownTime is how long processors have worked for this process.
func ownTime(t *testing.T) time.Duration {
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// endWithParent ends this process when the process that started it has ended and with it the other end of the pipe.
func endWithParent() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // any end of the pipe ends the process
		os.Exit(1)
	}()
}

// shared runs the sales in n processes and stops when one of them finds a violation.
func shared(t *testing.T, n int) tally {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	report := make(chan tally, n)
	var processes sync.WaitGroup
	for i := range n {
		mine := (*sales - i + n - 1) / n
		processes.Go(func() {
			counted, output, err := share(ctx, *firstSeed+uint64(i), uint64(n), mine)
			if err != nil && ctx.Err() == nil {
				stop()
				t.Errorf("a share of the sales failed: %v\n%s", err, output)
			}
			report <- counted
		})
	}
	processes.Wait()
	close(report)
	all := tally{}
	for counted := range report {
		all.add(counted)
	}
	return all
}

// share runs the sales of one process.
func share(ctx context.Context, first, step uint64, n int) (tally, string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	// The sales run in virtual time, so they give way to suites that measure real time.
	command := exec.CommandContext(ctx, "nice", "-n", "19", program, "-test.run=^TestSales$", "-test.timeout=0",
		fmt.Sprint("-sim.seed=", first), fmt.Sprint("-sim.step=", step), fmt.Sprint("-sim.n=", n),
		fmt.Sprint("-sim.ordered=", *ordered))
	alive, err := command.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = alive.Close() }() // the process has ended
	output, err := command.CombinedOutput()
	if command.ProcessState == nil {
		return nil, "", err
	}
	counted, rest := tally{}, strings.Builder{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		text, is := strings.CutPrefix(lines.Text(), tallied)
		if !is {
			rest.WriteString(lines.Text() + "\n")
		} else if bad := json.Unmarshal([]byte(text), &counted); bad != nil {
			return nil, rest.String(), bad
		}
	}
	if err == nil && counted[sold] != int64(n) {
		err = fmt.Errorf("%d sales were to run, %d did", n, counted[sold])
	}
	counted[cpuTime] = int64(command.ProcessState.UserTime() + command.ProcessState.SystemTime())
	return counted, rest.String(), err
}
