package bugs

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const parallel = 2 // checks at once

var flagOnly = flag.String("only", "", "do only the checks of this form, a regular expression of `bug package`")

// TestEverySeededBugIsCaught prints for each bug the check that caught it.
func TestEverySeededBugIsCaught(t *testing.T) {
	lab := &Lab{Root: harness.Root(t), Dir: t.TempDir(), Bugs: Bugs()}
	all := only(t, Bugs())
	innocent := innocents(all)
	var packages []string
	for _, c := range innocent {
		packages = append(packages, c.Package)
	}
	require.NoError(t, lab.Compile(packages))

	var work []func()
	for _, c := range innocent {
		work = append(work, func() {
			if v, err := lab.Run(c, ""); err != nil || v.Failed {
				t.Errorf("%s %s fails without a bug: %v %s %s", c.Package, c.Run, err, v.By, v.Says)
			}
		})
	}
	caught := &report{}
	for _, b := range all {
		for _, c := range b.Checks {
			work = append(work, func() { catch(t, lab, b, c, caught) })
		}
	}
	together(work)
	slices.Sort(caught.lines)
	t.Logf("%d bugs:\n%s", len(all), strings.Join(caught.lines, "\n"))
}

// only returns the bugs with the checks that are wanted.
func only(t *testing.T, all []Bug) (some []Bug) {
	t.Helper()
	wanted, err := regexp.Compile(*flagOnly)
	require.NoError(t, err)
	for _, b := range all {
		b.Checks = slices.DeleteFunc(slices.Clone(b.Checks), func(c Check) bool {
			return !wanted.MatchString(b.Name + " " + c.Package)
		})
		if len(b.Checks) > 0 {
			some = append(some, b)
		}
	}
	return some
}

// TestHooks runs the tests of the fault hooks, which need a build with the tag `faults`.
func TestHooks(t *testing.T) {
	lab := &Lab{Root: harness.Root(t), Dir: t.TempDir()}
	require.NoError(t, lab.Compile([]string{"faults"}))
	_, err := lab.Run(Check{Package: "faults", Run: "."}, "")
	require.NoError(t, err)
}

// innocents joins all checks of a package with the same flags, which have to pass without a bug.
func innocents(all []Bug) []Check {
	var joined []Check
	for _, b := range all {
		for _, c := range b.Checks {
			i := slices.IndexFunc(joined, func(j Check) bool { return j.Package == c.Package && slices.Equal(j.Flags, c.Flags) })
			switch {
			case i < 0:
				joined = append(joined, c)
			case !slices.Contains(strings.Split(joined[i].Run, "|"), c.Run):
				joined[i].Run += "|" + c.Run
			}
		}
	}
	return joined
}

// report collects a line for each check that has caught its bug.
type report struct {
	mu    sync.Mutex
	lines []string
}

func catch(t *testing.T, lab *Lab, b Bug, c Check, caught *report) {
	v, err := lab.Run(c, b.Name)
	switch {
	case err != nil:
		t.Errorf("%s: %v", b.Name, err)
	case !v.Failed:
		t.Errorf("%s (%s) is not caught by %s %s", b.Name, b.What, c.Package, c.Run)
	default:
		caught.mu.Lock()
		defer caught.mu.Unlock()
		caught.lines = append(caught.lines,
			fmt.Sprintf("%-29s → %s %s (%.1f s) %.150s", b.Name, c.Package, v.By, v.Took.Seconds(), v.Says))
	}
}

// together does the work, a few pieces at a time.
func together(work []func()) {
	waiting := make(chan func())
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for do := range waiting {
				do()
			}
		})
	}
	for _, do := range work {
		waiting <- do
	}
	close(waiting)
	workers.Wait()
}

func TestInnocentsRunOnce(t *testing.T) {
	joined := innocents([]Bug{
		{Name: "a", Checks: []Check{check("p", "^TestA$")}}, {Name: "b", Checks: []Check{check("p", "^TestA$"), simulated()}},
		{Name: "c", Checks: []Check{check("p", "^TestB$"), simulated()}},
	})
	require.Equal(t, []Check{{Package: "p", Run: "^TestA$|^TestB$"}, simulated()}, joined)
}
