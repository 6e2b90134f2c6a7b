package bugs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLab: a check that passes, one whose assertion fails, and endings that prove nothing.
func TestLab(t *testing.T) {
	root := tree(t, "go.mod", "module m\n", "p/p_test.go", `package p

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
		"TestExits": "no test prints", "TestPanics": "panic: seed 7",
		"TestOfAServer": "no test prints", "TestOther": "no tests to run",
	} {
		_, err = lab.Run(Check{Package: "p", Run: "^" + test + "$"}, "")
		require.ErrorContains(t, err, fault, test)
	}
	_, err = lab.Run(Check{Package: "q", Run: "x"}, "")
	require.Error(t, err)
	put(t, root, "p/p_test.go", "package")
	require.ErrorContains(t, lab.Compile([]string{"p"}), "compile the tests of p")
}

// TestRead: read finds the failed assertion in the output of a test; an error is not one.
func TestRead(t *testing.T) {
	printed := func(message string) string {
		return "--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n" +
			"        a_test.go:7: \n            \tError Trace:\t/x/a_test.go:7\n" +
			"            \tError:      \t" + message + "\n            \tTest:       \tTestA/b\nFAIL\n"
	}
	v, err := read(printed("Not equal: \n            \t            \texpected: 1\n            \t            \tactual  : 2"), true)
	require.NoError(t, err)
	require.Equal(t, Verdict{Failed: true, By: "TestA", Says: "a_test.go:7: Not equal: expected: 1 actual : 2"}, v)
	_, err = read(printed("Received unexpected error:\n            \t            \tconnection refused"), true)
	require.ErrorContains(t, err, "met an error")
	_, err = read(printed("Should be true")+"panic: deadlock [recovered]\n", true)
	require.ErrorContains(t, err, "panic: deadlock")
}

// TestLabSeeds: one compiled program has all bugs, of code and of scripts, and the environment chooses one of them or none.
func TestLabSeeds(t *testing.T) {
	root := tree(t, "go.mod", "module flashsale\n", "faults/doc.go", "package faults\n",
		"scripts/x.lua", "return 1 + 1\n",
		"scripts/scripts.go", `package scripts

import _ "embed"

//go:embed x.lua
var text string

var X = source("x")

func source(name string) string {
	return string(text)
}
`,
		"a/a.go", guarded,
		"a/a_test.go", `package a

import ("testing"; "flashsale/scripts")

func TestGuard(t *testing.T) { if Guard(3) { t.Fatal("seed 1: three") } }

func TestScript(t *testing.T) { if scripts.X != "return 1 + 1\n" { t.Fatal("seed 1: " + scripts.X) } }
`)
	code := ofGuard("open-guard", instead("a/a.go", "n < 3", `n < 3 || faults.Bug("open-guard")`))
	script := ofGuard("wrong-sum", instead("scripts/x.lua", "1 + 1", "2 + 2"))
	twice := Bug{Name: "two-steps", Seeds: []Replacement{
		instead("scripts/x.lua", "1 +", "one +"), instead("scripts/x.lua", "+ 1", "+ one"),
	}}
	lab := &Lab{Root: root, Dir: t.TempDir(), Bugs: []Bug{code, script, twice}}
	require.NoError(t, lab.Compile([]string{"a"}))
	for bug, message := range map[string]string{
		"": "", "other": "", "open-guard": "a_test.go:5: seed 1: three", "wrong-sum": "a_test.go:7: seed 1: return 2 + 2",
		"two-steps": "a_test.go:7: seed 1: return one + one",
	} {
		v, err := lab.Run(check("a", "."), bug)
		require.NoError(t, err, bug)
		require.Equal(t, message, v.Says, bug)
	}
}
