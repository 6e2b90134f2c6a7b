package chaos

import (
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// A run without arguments is the smoke test of make test.
var (
	flagFaults = flag.Int("faults", 50, "faults to do at least")
	flagKills  = flag.Int("kills", 50, "processes to kill at least")
	flagSeed   = flag.Uint64("seed", 1, "seed of every random choice")
	flagBudget = flag.Duration("budget", 0, "begin no further round after this time (0: no bound)")
	flagOnly   = flag.String("only", "", "do only the kinds of faults that begin with this")
	flagBug    = flag.String("bug", "", "the seeded bug that our processes run with, to see it caught")
	flagLong   = flag.Bool("long", false, "pause stores for up to two minutes, one of them in every round")
)

// TestFaults does a number of faults to real processes and checks every promise after each round of them. The table at
// its end is the one of docs/reliability.md.
func TestFaults(t *testing.T) {
	n := &nemesis{goal: goal{*flagFaults, *flagKills}, only: *flagOnly, long: *flagLong}
	require.NoError(t, n.possible())
	n.w = newWorld(t, *flagBug)
	begun := time.Now()
	var rounds []*outcome
	defer func(commit string) { // also of a run that breaks off
		fmt.Println(table(rounds, *flagSeed, commit, time.Since(begun)))
	}(commit())
	for number := 1; !n.reached() && (*flagBudget == 0 || time.Since(begun) < *flagBudget || number == 1); number++ {
		o := n.w.play(n, number, *flagSeed*1000+uint64(number))
		rounds = append(rounds, o)
		t.Logf("round %d: %d faults (%d in all), %d operations in %s, %d violations; presses: %v",
			number, len(o.struck), len(n.log), o.ops, o.took.Round(time.Second), len(o.faults()), o.codes)
		for _, f := range o.faults() {
			t.Errorf("round %d, seed %d: %s: %s", number, *flagSeed, f.Check, f.Text)
		}
	}
	require.NotEmpty(t, rounds)
	for _, o := range rounds {
		require.Positive(t, o.result.Counts["promises"], "round %d sold nothing", o.number)
	}
}

// commit names what is tested.
func commit() string {
	text, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
