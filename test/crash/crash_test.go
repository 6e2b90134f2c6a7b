package crash

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

var (
	budget   = flag.Duration("crash.budget", 40*time.Second, "no case begins after it, 0 = all cases")
	only     = flag.String("crash.only", "", "points to kill at, a regular expression")
	seed     = flag.Uint64("crash.seed", 0, "order of the cases, 0 = another one each time")
	parallel = flag.Int("crash.parallel", 8, "cases at once; they mostly wait")
)

func TestMain(m *testing.M) { harness.Main(m) }

// killing is one case: die when the point is passed for the n-th time.
type killing struct {
	point Point
	times int
}

// TestKilledAtEveryPoint kills at every crash point, the first and the third time.
func TestKilledAtEveryPoint(t *testing.T) {
	points, err := Points(harness.Root(t))
	require.NoError(t, err)
	cases := casesOf(t, points)
	bin := faultyBinary(t)
	harness.SharedKafka(t)
	harness.SharedMariaDB(t)
	began := time.Now()
	waiting := make(chan killing)
	var workers sync.WaitGroup
	var run, died atomic.Int64
	for range *parallel {
		workers.Go(func() {
			for c := range waiting {
				run.Add(1)
				t.Run(fmt.Sprintf("%s/%d", c.point.Name, c.times), func(t *testing.T) {
					runCase(t, bin, c.point, c.times)
					died.Add(1)
				})
			}
		})
	}
	for _, c := range cases {
		if *budget > 0 && time.Since(began) > *budget {
			break
		}
		waiting <- c
	}
	close(waiting)
	workers.Wait()
	t.Logf("%d points, %d cases: %d were run, in %d of them a process died at its point and the books were right, in %s", len(points),
		len(cases), run.Load(), died.Load(), time.Since(began).Round(time.Second))
}

// casesOf orders the cases by chance, so that runs with a budget come to all of them in time.
func casesOf(t *testing.T, points []Point) []killing {
	t.Helper()
	wanted, err := regexp.Compile(*only)
	require.NoError(t, err)
	var cases []killing
	for _, p := range points {
		if wanted.MatchString(p.Name) {
			cases = append(cases, killing{p, 1}, killing{p, 3})
		}
	}
	order := *seed
	if order == 0 {
		order = uint64(time.Now().UnixNano())
	}
	t.Logf("order of the cases: -crash.seed %d", order)
	rand.New(rand.NewPCG(order, 0)).Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	return cases
}

// faultyBinary builds the engine with its crash points.
func faultyBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flashsale")
	command := exec.Command("go", "build", "-tags", "faults", "-o", path, "./cmd/flashsale")
	command.Dir = harness.Root(t)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return path
}
