package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
	"flashsale/test/stack"
)

var (
	crashBudget   = flag.Duration("crash.budget", 40*time.Second, "no case begins after it, 0 = all cases")
	crashOnly     = flag.String("crash.only", "", "points to kill at, a regular expression")
	crashSeed     = flag.Uint64("crash.seed", 0, "order of the cases, 0 = another one each time")
	crashParallel = flag.Int("crash.parallel", 8, "cases at once; they mostly wait")
)

// withPoints is the binary with crash points.
func withPoints() harness.Build { return harness.Build{Args: []string{"-tags", "faults"}} }

// TestKilledAtEveryPoint does the faults "killed at crash point X", the first and the third time, for every point in the
// source. Each is a case: a deployment of its own, whose process or command that passes the point dies there.
func TestKilledAtEveryPoint(t *testing.T) {
	points, err := Points(harness.Root(t))
	require.NoError(t, err)
	cases := casesOf(t, points)
	harness.BinaryOf(t, withPoints())
	harness.SharedKafka(t)
	harness.SharedMariaDB(t)
	began := time.Now()
	waiting := make(chan int)
	var workers sync.WaitGroup
	outcomes := make([]*outcome, len(cases)) // nil: not played to its end
	for range *crashParallel {
		workers.Go(func() {
			for n := range waiting {
				c := cases[n]
				t.Run(fmt.Sprintf("%s/%d", c.Name, c.Time), func(t *testing.T) { outcomes[n] = playCase(t, c, n) })
			}
		})
	}
	run := 0
	for ; run < len(cases) && (*crashBudget == 0 || time.Since(began) < *crashBudget); run++ {
		waiting <- run
	}
	close(waiting)
	workers.Wait()
	var ended []*outcome
	for _, o := range outcomes {
		if o != nil {
			ended = append(ended, o)
		}
	}
	fmt.Println(table(ended, *crashSeed, commit(), time.Since(began)))
	t.Logf("%d points, %d cases: %d were run, in %d of them a process died at its point and the sale went on to its end, in %s",
		len(points), len(cases), run, len(ended), time.Since(began).Round(time.Second))
}

// casesOf orders the cases randomly, so that runs with a budget cover all of them over time.
func casesOf(t *testing.T, points []Point) []stack.CrashPoint {
	t.Helper()
	wanted, err := regexp.Compile(*crashOnly)
	require.NoError(t, err)
	var cases []stack.CrashPoint
	for _, p := range points {
		if wanted.MatchString(p.Name) {
			cases = append(cases, stack.CrashPoint{Name: p.Name, Time: 1}, stack.CrashPoint{Name: p.Name, Time: 3})
		}
	}
	if *crashSeed == 0 {
		*crashSeed = uint64(time.Now().UnixNano())
	}
	t.Logf("order of the cases: -crash.seed %d", *crashSeed)
	rand.New(rand.NewPCG(*crashSeed, 0)).Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	return cases
}
