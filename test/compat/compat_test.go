package compat

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/loadtest/bench"
	"flashsale/test/harness"
)

// TestEveryKindHasARow: a kind of the harness that is not a default is run by a row of its own, so that its line tells what
// it does by itself.
func TestEveryKindHasARow(t *testing.T) {
	defaults := map[string]bool{}
	for _, kind := range harness.Kinds() {
		if !defaults[kind.Role] {
			defaults[kind.Role] = true
			continue
		}
		alone := func(r Row) bool { return slices.Equal(r.Kinds, []string{kind.Name}) }
		assert.True(t, slices.ContainsFunc(Matrix, alone), kind.Name)
	}
}

// TestThePageHasEveryRow: the table of the page has the rows of the matrix, and what follows the rows is up to date.
func TestThePageHasEveryRow(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(harness.Root(t), "docs", "compatibility.md"))
	require.NoError(t, err)
	again, err := Rewrite(string(page), Matrix, nil, nil)
	require.NoError(t, err)
	assert.True(t, again == string(page), "the block differs from what make compat ARGS=-write writes")
	for _, row := range Matrix {
		assert.True(t, strings.Contains(string(page), "\n| "+row.Name+" | "), row.Name)
	}
}

// TestEveryTestOfARowExists: a name that no test has would pass in silence.
func TestEveryTestOfARowExists(t *testing.T) {
	root := harness.Root(t)
	names, err := filepath.Glob(filepath.Join(root, "test", "e2e", "*_test.go"))
	require.NoError(t, err)
	var text strings.Builder
	for _, name := range names {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		text.Write(source)
	}
	for _, row := range Matrix {
		suites, err := row.Suites()
		require.NoError(t, err)
		require.Equal(t, "start", suites[0].Name, "a missing server is found first")
		outside := suites[slices.IndexFunc(suites, func(s Suite) bool { return s.Name == "end to end" })]
		for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(outside.Run, -1) {
			assert.Contains(t, text.String(), "\nfunc "+name+"(t *testing.T)", row.Name)
		}
		for _, suite := range suites {
			for _, folder := range suite.Packages {
				assert.DirExists(t, filepath.Join(root, folder))
			}
		}
	}
}

func TestRowsAreChosenByName(t *testing.T) {
	all, err := Chosen(Matrix, "")
	require.NoError(t, err)
	assert.Len(t, all, len(Matrix))
	some, err := Chosen(Matrix, "tidb, mysql97")
	require.NoError(t, err)
	assert.Equal(t, []string{"tidb", "mysql97"}, []string{some[0].Name, some[1].Name})
	_, err = Chosen(Matrix, "mysql98")
	require.ErrorContains(t, err, `-only: "mysql98" is none of mysql97, `)
	environment, err := some[1].Environment()
	require.NoError(t, err)
	assert.Equal(t, "FLASHSALE_TEST_SERVERS=database=mysql-9.7", environment)
	_, err = Row{Name: "x", Kinds: []string{"oracle"}}.Environment()
	require.ErrorContains(t, err, "row x: oracle is no kind of test/harness")
}

const told = `{"Action":"start","Package":"flashsale/store"}
{"Action":"output","Package":"flashsale/store","Test":"TestGood","Output":"    a_test.go:1: database is 9.7.4-2\n"}
{"Action":"pass","Package":"flashsale/store","Test":"TestGood/part"}
{"Action":"pass","Package":"flashsale/store","Test":"TestGood"}
{"Action":"output","Package":"flashsale/store","Test":"TestBad/part","Output":"expected one\n"}
{"Action":"fail","Package":"flashsale/store","Test":"TestBad/part"}
{"Action":"fail","Package":"flashsale/store","Test":"TestBad"}
{"Action":"fail","Package":"flashsale/store"}
`

func TestATallyCountsATestOnceAndNamesTheFailedPart(t *testing.T) {
	tally, err := ReadTally(strings.NewReader(told))
	require.NoError(t, err)
	assert.Equal(t, 1, tally.Passed)
	assert.Equal(t, []string{"store.TestBad/part"}, tally.Failed)
	assert.Equal(t, map[string]string{"database": "9.7.4-2"}, tally.Versions)
	assert.Equal(t, "expected one\n", tally.Output["store.TestBad/part"])
	const broken = `{"Action":"output","Package":"flashsale/store","Output":"does not build"}` + "\n" +
		`{"Action":"fail","Package":"flashsale/store"}`
	unbuilt, err := ReadTally(strings.NewReader(broken))
	require.NoError(t, err)
	assert.Equal(t, []string{"store"}, unbuilt.Failed, "a package that does not build or runs out of time")
	assert.Equal(t, "does not build", unbuilt.Output["store"])
	_, err = ReadTally(strings.NewReader("panic\n"))
	require.Error(t, err)
}

// runner runs a go command that answers each call with the next text.
func runner(answers ...string) (*Runner, *[][]string) {
	var calls [][]string
	r := &Runner{Out: io.Discard, Go: func(_ context.Context, output io.Writer, env []string, args ...string) error {
		calls = append(calls, append(slices.Clone(env), args...))
		if len(calls) > len(answers) {
			return errors.New("no go command")
		}
		_, err := io.WriteString(output, answers[len(calls)-1])
		return err
	}}
	return r, &calls
}

var mysql = Row{Name: "mysql97", Kinds: []string{"mysql-9.7"}}

const passes = `{"Action":"pass","Package":"flashsale/store","Test":"TestGood"}` + "\n"

func TestARowRunsItsSuitesOnItsServers(t *testing.T) {
	r, calls := runner(passes, told, passes)
	result := r.Run(t.Context(), mysql)
	require.NoError(t, result.Broken)
	require.Len(t, *calls, 3)
	for _, call := range *calls {
		assert.Equal(t, "FLASHSALE_TEST_SERVERS=database=mysql-9.7", call[0])
	}
	assert.True(t, result.Bad())
	assert.Equal(t, 3, result.Passed)
	assert.Regexp(t, `^\| mysql97 \| MySQL 9\.7\.4-2 \| 3 \| store\.TestBad/part \| 0 \| 0s \| today \|\n$`,
		result.Line("today"))
	assert.Contains(t, result.Failures(), "--- mysql97: store.TestBad/part\nexpected one")
}

func TestARowWhoseServersDoNotStartEndsThere(t *testing.T) {
	r, calls := runner(told)
	result := r.Run(t.Context(), mysql)
	require.ErrorContains(t, result.Broken, "its servers do not start")
	assert.True(t, result.Bad())
	assert.Len(t, *calls, 1)
	assert.Contains(t, result.Line(""), "| did not end: its servers do not start |")
	r, _ = runner()
	require.ErrorContains(t, r.Run(t.Context(), mysql).Broken, "suite start: no go command")
	r, _ = runner("")
	require.ErrorContains(t, r.Run(t.Context(), mysql).Broken, "no test ran")
}

func TestAnExcuseHoldsAsLongAsTheTestFails(t *testing.T) {
	excused := mysql
	excused.Known = []Known{{Test: "store.TestBad/part", Reason: "the server forgets"}}
	r, _ := runner(passes, told, passes)
	result := r.Run(t.Context(), excused)
	assert.False(t, result.Bad())
	assert.Equal(t, []string{"store.TestBad/part"}, result.Excused)
	assert.Contains(t, excuses([]Row{excused}), "| mysql97 | `TestBad/part` in `store` | the server forgets |\n")
	r, _ = runner(passes, passes, passes)
	result = r.Run(t.Context(), excused)
	assert.True(t, result.Bad(), "the excuse is wrong")
	assert.Contains(t, result.Line(""), "passed, but are excused: store.TestBad/part")

	excused.Known[0].Sometimes = true
	r, _ = runner(passes, passes, passes)
	result = r.Run(t.Context(), excused)
	assert.False(t, result.Bad(), "this time it did not fail")
	assert.Empty(t, result.Excused)
	assert.Contains(t, excuses([]Row{excused}), "| mysql97 | `TestBad/part` in `store`, sometimes | the server forgets |\n")
}

func TestThePageKeepsTheRowsThatDidNotRun(t *testing.T) {
	const page = "before\n" + blockBegins + "\n" + blockEnds + "\nafter\n"
	rows := []Row{{Name: "one", Kinds: []string{"mysql-9.7"}}, {Name: "two", Kinds: []string{"tidb-8"}}}
	first, err := Rewrite(page, rows, map[string]string{"one": "| one | a |\n", "two": "| two | b |\n"},
		map[string]string{"mysql-9.7": "settle: 9"})
	require.NoError(t, err)
	second, err := Rewrite(first, rows, map[string]string{"two": "| two | c |\n"}, map[string]string{"tidb-8": "settle: 5"})
	require.NoError(t, err)
	third, err := Rewrite(page, rows, nil, nil)
	require.NoError(t, err)
	assert.Contains(t, third, "| two | `tidb-8` | | not run yet |")
	assert.Contains(t, second, TableHead+"| one | a |\n| two | c |\n\n")
	assert.Contains(t, second, "| `mysql-9.7` | MySQL | Debian sid: mysql-server-core | settle: 9 |\n", "kept")
	assert.Contains(t, second, "github.com/pingcap/tidb | settle: 5 |\n")
	assert.True(t, strings.HasPrefix(second, "before\n") && strings.HasSuffix(second, "\nafter\n"))
	_, err = Rewrite("no block", rows, nil, nil)
	require.Error(t, err)
}

func TestFiguresAreComparedWithTheFirstKind(t *testing.T) {
	got := cells([]*bench.Figure{
		{Name: "redis-7.0: accept", Unit: "µs", Ours: []float64{2, 2, 2}},
		{Name: "valkey-9.1: accept", Unit: "µs", Ours: []float64{1, 1.5, 2}},
		{Name: "of no kind", Unit: "µs", Ours: []float64{1}},
	})
	assert.Equal(t, map[string]string{
		"redis-7.0": "accept: 2 ± 0 µs", "valkey-9.1": "accept: 1.5 ± 0.5 µs, × 0.75 ± 0.25",
	}, got)
	r, _ := runner("say\n" + `{"machine":{},"figures":[{"name":"redis-7.0: accept","unit":"µs","ours":[2]}]}` + "\n")
	figures, err := r.Figures(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"redis-7.0": "accept: 2 ± 0 µs"}, figures)
	r, _ = runner("nothing")
	_, err = r.Figures(t.Context())
	require.ErrorContains(t, err, "printed no figures")
}

// The real command: what failed is in the output, and a command that cannot run is an error.
func TestTheRunnerCallsGo(t *testing.T) {
	logs := t.TempDir()
	r := NewRunner(t.TempDir(), logs, io.Discard)
	_, err := r.suite(t.Context(), "row", "A=b", Suite{Name: "of nothing", Packages: []string{"./nothing"}})
	require.Error(t, err)
	assert.FileExists(t, filepath.Join(logs, "row-of-nothing.json"))
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	require.Error(t, r.Go(ctx, io.Discard, nil, "version"))
	var missing *exec.Error
	t.Setenv("PATH", "")
	require.ErrorAs(t, NewRunner(".", "", io.Discard).Go(t.Context(), io.Discard, nil, "version"), &missing)
}
