//go:build faultsuite

package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

var (
	flagFaults = flag.Int("faults", 50, "faults to do")
	flagSeed   = flag.Uint64("seed", 1, "where every chance comes from")
	flagBudget = flag.Duration("budget", 150*time.Second, "begin no further round after this time")
	flagOnly   = flag.String("only", "", "the one kind of fault to do")
	flagBug    = flag.String("bug", "", "the seeded bug that our processes run with, to see it caught")
)

// TestFaults does a number of faults to real processes and checks every promise after each round of some of them. The
// table at its end is the one of docs/reliability.md.
func TestFaults(t *testing.T) {
	w := newWorld(t, *flagOnly, *flagBug)
	begun := time.Now()
	n := &nemesis{w: w, random: rand.New(rand.NewPCG(*flagSeed, 0))}
	var rounds []*outcome
	for number := 1; len(n.log) < *flagFaults && (number == 1 || time.Since(begun) < *flagBudget); number++ {
		o := w.play(n, number, min(roundFaults, *flagFaults-len(n.log)), *flagSeed*1000+uint64(number))
		rounds = append(rounds, o)
		t.Logf("round %d: %d operations in %s, %d violations; presses: %v", number, o.ops, o.took.Round(time.Second), len(o.faults()), o.codes)
		for _, f := range o.faults() {
			t.Errorf("round %d, seed %d: %s: %s", number, *flagSeed, f.Check, f.Text)
		}
	}
	fmt.Println(table(n.log, rounds, *flagSeed, commit()))
	require.NotEmpty(t, rounds)
	for _, o := range rounds {
		require.Positive(t, o.result.Counts["promises"], "round %d sold nothing", o.number)
	}
}

func commit() string {
	text, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
