package bugs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const (
	fewest   = 30 // bugs that have to be seeded
	parallel = 2  // checks at once
)

// TestTableIsWhole: every bug in the source is in the table, and every row of the table is a bug in the source.
func TestTableIsWhole(t *testing.T) {
	seeded, err := Seeded(harness.Root(t))
	require.NoError(t, err)
	var named []string
	for _, b := range Bugs() {
		named = append(named, b.Name)
		require.NotEmpty(t, b.Checks, b.Name)
	}
	slices.Sort(named)
	require.Equal(t, seeded, named)
	require.GreaterOrEqual(t, len(named), fewest)
}

// TestEverySeededBugIsCaught prints for each bug the check that caught it.
func TestEverySeededBugIsCaught(t *testing.T) {
	lab := &Lab{Root: harness.Root(t), Dir: t.TempDir()}
	innocent := innocents(Bugs())
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
	for _, b := range Bugs() {
		for _, c := range b.Checks {
			work = append(work, func() { catch(t, lab, b, c, caught) })
		}
	}
	together(work)
	slices.Sort(caught.lines)
	t.Logf("%d bugs:\n%s", len(Bugs()), strings.Join(caught.lines, "\n"))
}

// TestHooks: what takes hold of the engine does so where and when it is told, which only a build of the fault tests shows.
func TestHooks(t *testing.T) {
	lab := &Lab{Root: harness.Root(t), Dir: t.TempDir()}
	require.NoError(t, lab.Compile([]string{"faults"}))
	_, err := lab.Run(Check{Package: "faults", Run: "."}, "")
	require.NoError(t, err)
}

// innocents joins all checks of a package with the same flags: what has to pass when there is no bug.
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

// TestLab: a check that passes, one whose assertion does not hold, and what proves nothing.
func TestLab(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	write("go.mod", "module m\n")
	write("p/p_test.go", `package p

import ("os"; "testing")

func TestBug(t *testing.T) { if os.Getenv("FLASHSALE_BUG") != "" { t.Fatal("seed 7: undersold") } }

func TestExits(t *testing.T) { os.Exit(3) }

func TestPanics(t *testing.T) { panic("seed 7: undersold") }

func TestOfAServer(t *testing.T) { t.Fatal("no redis-server") }
`)
	lab := &Lab{Root: root, Dir: t.TempDir()}
	require.NoError(t, lab.Compile([]string{"p"}))
	check := Check{Package: "p", Run: "^TestBug$"}
	v, err := lab.Run(check, "")
	require.NoError(t, err)
	require.False(t, v.Failed)
	v, err = lab.Run(check, "some-bug")
	require.NoError(t, err)
	require.True(t, v.Failed)
	require.Equal(t, "TestBug", v.By)
	require.Equal(t, "p_test.go:5: seed 7: undersold", v.Says)
	for test, fault := range map[string]string{
		"TestExits": "no test says", "TestPanics": "panic: seed 7", "TestOfAServer": "no test says", "TestOther": "no tests to run",
	} {
		_, err = lab.Run(Check{Package: "p", Run: "^" + test + "$"}, "")
		require.ErrorContains(t, err, fault, test)
	}
	_, err = lab.Run(Check{Package: "q", Run: "x"}, "")
	require.Error(t, err)
	write("p/p_test.go", "package")
	require.ErrorContains(t, lab.Compile([]string{"p"}), "compile the tests of p")
}

// TestRead: the assertion that does not hold is found in what a test prints, and an error is no such thing.
func TestRead(t *testing.T) {
	printed := func(says string) string {
		return "--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n        a_test.go:7: \n            \tError Trace:\t/x/a_test.go:7\n" +
			"            \tError:      \t" + says + "\n            \tTest:       \tTestA/b\nFAIL\n"
	}
	v, err := read(printed("Not equal: \n            \t            \texpected: 1\n            \t            \tactual  : 2"), true)
	require.NoError(t, err)
	require.Equal(t, Verdict{Failed: true, By: "TestA", Says: "a_test.go:7: Not equal: expected: 1 actual : 2"}, v)
	_, err = read(printed("Received unexpected error:\n            \t            \tconnection refused"), true)
	require.ErrorContains(t, err, "met an error")
	_, err = read(printed("Should be true")+"panic: deadlock [recovered]\n", true)
	require.ErrorContains(t, err, "panic: deadlock")
}

func TestInnocentsRunOnce(t *testing.T) {
	joined := innocents([]Bug{
		caught("a", "", "p", "^TestA$"), caught("b", "", "p", "^TestA$", simulated()), caught("c", "", "p", "^TestB$", simulated()),
	})
	require.Equal(t, []Check{{Package: "p", Run: "^TestA$|^TestB$"}, simulated()}, joined)
}

func TestSeededReadsCodeAndScripts(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "scripts"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.go"), []byte(`x(faults.Bug("one-bug"))`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "a_test.go"), []byte(`x(faults.Bug("no-bug"))`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "scripts/bugs.go"), []byte("\t\"lua-bug\": {\n"), 0o600))
	found, err := Seeded(root)
	require.NoError(t, err)
	require.Equal(t, []string{"lua-bug", "one-bug"}, found)
}
