package tidy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/settings"
)

// Each rule is shown a small tree that breaks it, and one beside it that does not.

func treeOf(t *testing.T, pairs ...string) fstest.MapFS {
	t.Helper()
	require.Zero(t, len(pairs)%2)
	tree := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		tree[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return tree
}

func parse(t *testing.T, pairs ...string) []*source {
	t.Helper()
	parsed, err := sources(treeOf(t, pairs...))
	require.NoError(t, err)
	return parsed
}

func text(found []finding) string {
	lines := make([]string, len(found))
	for i, f := range found {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

func TestImportsAgainstTheDirectionAreFound(t *testing.T) {
	for file, imported := range map[string]string{
		"gateway/a.go":             "flashsale/reserve",
		"reserve/a.go":             "flashsale/store",
		"sale/a.go":                "flashsale/settings",
		"settle/sub/a.go":          "flashsale/admin",
		"kitchen/a.go":             "flashsale/sale",
		"gateway/b.go":             "database/sql",
		"cmd/a/main.go":            "flashsale/app",
		"app/a.go":                 "flashsale/loadtest",
		"app/b.go":                 "github.com/alecthomas/kong",
		"cli/a.go":                 "flashsale/gateway",
		"cli/b.go":                 "github.com/redis/rueidis",
		"admin/a.go":               "github.com/IBM/sarama",
		"settle/a.go":              "github.com/valyala/fasthttp/fasthttputil",
		"sale/b.go":                "github.com/stretchr/testify/require",
		"gateway/a_test.go":        "flashsale/reserve",
		"reserve/b.go":             "flashsale/test/harness",
		"store/a.go":               "github.com/twmb/franz-go/pkg/kgo",
		"test/check/a.go":          "flashsale/test/harness",
		"test/buyers/history/a.go": "flashsale/sale",
	} {
		found := importFindings(parse(t, file, fmt.Sprintf("package a\nimport %q\n", imported)))
		require.Len(t, found, 1, "%s imports %s", file, imported)
		assert.Contains(t, found[0].String(), file+":2: ")
	}
}

func TestCodeAtTheTopLevelIsFound(t *testing.T) {
	found := importFindings(parse(t, "main.go", "package main\n"))
	assert.Equal(t, "main.go: the top level holds no code: every file belongs to a room", text(found))
}

func TestStrayFilesAtTheTopLevelAreFound(t *testing.T) {
	found, err := topFindings(fstest.MapFS{"README.md": {}, "go.mod": {}, "store.test": {}, "docs/a.md": {}, "tidb-slow.log": {}})
	require.NoError(t, err)
	assert.Equal(t, "tidb-slow.log: a file at the top level: put it into the folder of its subject", text(found))
}

func TestImportsAlongTheDirectionPass(t *testing.T) {
	for file, imported := range map[string]string{
		"gateway/a.go":      "flashsale/sale",
		"reserve/a.go":      "flashsale/scripts",
		"app/a.go":          "flashsale/store",
		"cli/a.go":          "github.com/alecthomas/kong",
		"cmd/a/main.go":     "flashsale/cli",
		"store/a.go":        "database/sql",
		"store/a_test.go":   "flashsale/test/harness",
		"gateway/a_test.go": "database/sql",
		"sale/a.go":         "github.com/bwmarrin/snowflake",
		"loadtest/a.go":     "flashsale/loadtest/client",
		"test/e2e/a.go":     "flashsale/test/harness",
		"test/check/a.go":   "flashsale/test/buyers/history",
	} {
		found := importFindings(parse(t, file, fmt.Sprintf("package a\nimport %q\n", imported)))
		assert.Empty(t, text(found), "%s imports %s", file, imported)
	}
}

func TestEveryDirectionHasAReason(t *testing.T) {
	for room, rule := range directions {
		assert.Greater(t, len(rule.reason), 30, room)
	}
	for name, rule := range scaffolds {
		assert.Greater(t, len(rule.reason), 30, name)
	}
	for _, o := range owners {
		assert.Greater(t, len(o.reason), 20, o.library)
	}
	for room, rule := range testsOfMay {
		assert.Greater(t, len(rule.reason), 30, room)
	}
	for _, table := range []map[string]string{ownLeases, ownLoops} {
		for line, reason := range table {
			assert.Greater(t, len(reason), 15, line)
		}
	}
}

func TestASecondLeaseIsFound(t *testing.T) {
	for code, fault := range map[string]string{
		`func f(t table) { t.AcquireLease(nil, "sale/a", "me", 1) }`:             "calls AcquireLease",
		`func f(t table) { defer t.db.ReleaseLease(nil, "sale/a", "me") }`:       "calls ReleaseLease",
		`func f(id string) lease.Name { return lease.Name("sale/" + id) }`:       "makes a name",
		`var l = lease.Lease{Name: "relay"}`:                                     "spells the name",
		`func f() { l := &lease.Lease{Owner: "me", Name: "relay"}; println(l) }`: "spells the name",
	} {
		found := leaseFindings(parse(t, "admin/a.go", "package a\n"+code+"\n"))
		require.Len(t, found, 1, code)
		assert.Contains(t, found[0].String(), "admin/a.go:2: "+fault)
		for _, may := range []string{"lease/a.go", "store/a.go", "admin/a_test.go", "test/sim/a.go"} {
			assert.Empty(t, text(leaseFindings(parse(t, may, "package a\n"+code+"\n"))), may)
		}
	}
	for _, right := range []string{
		`var l = lease.Lease{Name: lease.Relay, Owner: "relay"}`,
		`func f(id string) lease.Name { return lease.Sale(id) }`,
		`type table interface { lease.Leases }`,
		`var d = data.Lease{Name: "relay"}`,
		`var l = role.Loop{Name: "relay"}`,
	} {
		assert.Empty(t, text(leaseFindings(parse(t, "admin/a.go", "package a\n"+right+"\n"))), right)
	}
}

func TestASecondLoopIsFound(t *testing.T) {
	for code, fault := range map[string]string{
		`func f() { for { g(); role.Pause(ctx, d) } }`:                             "a loop that pauses",
		`func f() { for role.Pause(ctx, d) { g() } }`:                              "a loop that pauses",
		`func f() { for ctx.Err() == nil { if g() { pause(ctx, d) } } }`:           "a loop that pauses",
		`func f() { for range 3 { sleep(ctx, d) } }`:                               "a loop that pauses",
		`func f() { for { select { case <-ctx.Done(): case <-time.After(d): } } }`: "a loop that pauses",
		`func f() { go func() { for _, x := range xs { time.Sleep(x) } }() }`:      "a loop that pauses",
		`func f() { for { func() { for { t := time.NewTimer(d); <-t.C } }() } }`:   "a loop that pauses",
		`func f() { t := time.NewTicker(d); for range t.C { g() } }`:               "a ticker",
		`func f() { for range time.Tick(d) { g() } }`:                              "a ticker",
	} {
		found := loopFindings(parse(t, "admin/a.go", "package a\n"+code+"\n"))
		require.Len(t, found, 1, code)
		assert.Contains(t, found[0].String(), "admin/a.go:2: "+fault)
		for _, may := range []string{"loadtest/sub/a.go", "lease/tenure.go", "admin/a_test.go", "test/sim/a.go"} {
			assert.Empty(t, text(loopFindings(parse(t, may, "package a\n"+code+"\n"))), may)
		}
	}
	for _, right := range []string{
		`func f() { l := role.Loop{Every: d}; l.Run(ctx) }`,
		`func f() { role.Pause(ctx, d) }`,
		`func f() { for _, b := range bs { w.pause(b) } }`, // of a sale
		`func f() { for range 3 { time.AfterFunc(d, g) } }`,
		`func f() { for range 3 { go func() { <-time.After(d) }() } }`,
	} {
		assert.Empty(t, text(loopFindings(parse(t, "admin/a.go", "package a\n"+right+"\n"))), right)
	}
}

func TestExceptionsThatExcuseNothingAreFound(t *testing.T) {
	loop := "package a\nfunc f() { for { role.Pause(ctx, d) } }\n"
	table := map[string]string{"a/": "needed", "b/b.go": "needed", "c/": "its loop has gone", "d/": "only its test has one"}
	tree := parse(t, "a/sub/a.go", loop, "b/b.go", loop, "c/c.go", "package c\n", "d/d_test.go", loop)
	found := idleExcuses(tree, loopBreaches, table)
	assert.Len(t, found, 2)
	assert.Contains(t, text(found), "c/: an exception that excuses nothing")
	assert.Contains(t, text(found), "d/: an exception that excuses nothing")
}

func TestLongFilesAndFunctionsAreFound(t *testing.T) {
	long := "package a\n" + strings.Repeat("// line\n", maxFileLines)
	found, err := fileFindings(treeOf(t, "gateway/a.go", long, "gateway/b.go", "package a\n", "docs/long.md", long))
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Contains(t, found[0].String(), "gateway/a.go: 501 lines")

	body := func(lines int) string { return strings.Repeat("\tprintln()\n", lines-2) }
	code := "package a\nfunc short() {\n" + body(maxFunctionLines) + "}\nfunc long() {\n" + body(maxFunctionLines+1) + "}\n"
	assert.Contains(t, text(functionFindings(parse(t, "a/a.go", code))), "long has 71 lines")
	assert.NotContains(t, text(functionFindings(parse(t, "a/a.go", code))), "short")
}

func TestDriftOfLengthsIsFound(t *testing.T) {
	short, middle, long := make([]int, 49), make([]int, 40), make([]int, 11)
	for i := range middle {
		middle[i] = halfBelow
	}
	for i := range long {
		long[i] = nineTenthsBelow
	}
	all := append(append(append([]int{}, short...), middle...), long...)
	found := text(distributionFindings(all))
	assert.Contains(t, found, "50 % of 100 functions")
	assert.Contains(t, found, "90 % of 100 functions")
	assert.Empty(t, distributionFindings(append(make([]int, 60), middle...)))
	assert.Empty(t, distributionFindings(nil))
}

func TestMissingTestsAreFound(t *testing.T) {
	code := "package a\n\n\n"
	assert.Contains(t, text(balanceFindings(parse(t, "a/a.go", code, "a/a_test.go", "package a\n"))), "1 lines of tests for 3")
	assert.Empty(t, balanceFindings(parse(t, "a/a.go", code, "a/a_test.go", code)))
}

func TestSilentPackagesAreFound(t *testing.T) {
	found := text(packageFindings(parse(t,
		"a/a.go", "// Package a says why.\npackage a\n", "a/b.go", "package a\n",
		"b/a.go", "package b\n", "b/a_test.go", "// Package b: a test cannot speak for it.\npackage b\n",
		"c/a.go", "// Package util is everything.\npackage util\n")))
	assert.Equal(t, "c: package util is named after no responsibility\nb: no package comment says its role", found)
}

func TestSkipsAndSleepsInTestsAreFound(t *testing.T) {
	code := "package a\nimport (\"testing\"; \"time\")\nfunc f(t *testing.T) {\n\tt.SkipNow()\n\ttime.Sleep(1)\n}\n"
	assert.Len(t, testFindings(parse(t, "a/a_test.go", code)), 2)
	assert.Len(t, testFindings(parse(t, "test/harness/a.go", code)), 2)
	assert.Empty(t, testFindings(parse(t, "a/a.go", code)))
}

func TestDiscardedResultsWithoutAReasonAreFound(t *testing.T) {
	code := "package a\nfunc f() {\n\t_ = g()\n\n\t_ = g() // cannot fail\n\n\t// cannot fail\n\t_, _ = h()\n\tx, _ := " +
		"h()\n\t_ = x\n}\n"
	assert.Equal(t, "a/a.go:3: a result is thrown away without a comment that says why",
		text(discardFindings(parse(t, "a/a.go", code))))
}

func TestChangedPackageVariablesAreFound(t *testing.T) {
	code := `package a
import ("sync"; "errors")
var count int
var table = map[string]int{"a": 1}
var lock sync.Mutex
var pool sync.Pool
var errGone = errors.New("gone")
var hidden int
func change() { count++ }
func write() { table["b"] = 2 }
func local() { hidden := 1; hidden = 2; _ = hidden }
func read() error { return errGone }
`
	assert.Equal(t, "a/a.go:10: package state: table is changed here\n"+
		"a/a.go:5: package state: lock is made to be changed\na/a.go:9: package state: count is changed here",
		text(stateFindings(parse(t, "a/a.go", code))))
	assert.Empty(t, stateFindings(parse(t, "test/harness/a.go", code)))
}

func TestForbiddenWordsAreFound(t *testing.T) {
	for _, line := range []string{
		"// TODO: more", "this is a stub", "see `/work/notes`", "/home/someone/x", "as issue 12 says", "see ../shared/design.md",
		"the campaign", "seckill", "not yet implemented", "GOPROXY=https://proxy.golang.org",
	} {
		found, err := wordFindings(treeOf(t, "docs/a.md", "fine\n"+line+"\n"))
		require.NoError(t, err)
		require.Len(t, found, 1, line)
		assert.Equal(t, "docs/a.md:2", found[0].place)
	}
	found, err := wordFindings(treeOf(t, "docs/a.md", "issue a token; stubborn; my.work/x; docs/architecture.md\n",
		"go.sum", "TODO", "bin/x", "TODO", "a/testdata/fuzz/x", "TODO"))
	require.NoError(t, err)
	assert.Empty(t, text(found))
}

// TestReplacedWordsAreFound also while the rule is switched off for the tree, and spares what only looks like one.
func TestReplacedWordsAreFound(t *testing.T) {
	for _, line := range []string{
		"func (f *flow) run() {", "The flow takes it.",
		"a flow, one goroutine",
		"a parcel", "newParcel()", "parcelBytes", "v *sight", "m.sight()", "the mover", "newMover(", "seekers []",
		"type turn struct", "[]*ticket",
		"expectNoMore", "func (s *queue) gather(", "plan.LeftAs", "ledger.Held", "the courier", "courierEvery", "a keeper",
		"newKeeper(", "keeperEvery", "keeper.Run(", `faults.Point("keeper.closed")`,
		"the rota", "newRota(", "p.Came", "came := now", "decide(p sale.Purchase, came time.Time", "an undertaker", "is buried",
		"newGrave(",
		"books *store.Store", "books, err := store.Open(", "settle/places.go", "catalogue follower", "leave word of it",
	} {
		found, err := findWords(treeOf(t, "docs/a.md", line+"\n"), oldWords)
		require.NoError(t, err)
		assert.NotEmpty(t, found, line)
	}
	for _, line := range []string{
		"a flow rule, a second", "the flow rules of Sentinel", "[]*flow.Rule{", "flow.LoadRules(", "it came back",
		"whoever came first", "rotation", "itself",
		"ZooKeeper", "in sight of", "remove", "remover := 1", "registry.Gather()", "it is your turn", "3+2*turn",
		"the books hold", "a ticket of the waiting room",
		"gravel", "sale.StatusHeld", "sale.OutcomeHeld", "left as it is",
	} {
		found, err := findWords(treeOf(t, "docs/a.md", line+"\n"), oldWords)
		require.NoError(t, err)
		assert.Empty(t, text(found), line)
	}
	for _, old := range oldWords {
		assert.Contains(t, old.reason, "say ", "the word to use")
	}
}

func TestWideLinesAreFound(t *testing.T) {
	wide, narrow := strings.Repeat("x", maxColumns+1), strings.Repeat("x", maxColumns)
	found, err := widthFindings(treeOf(t, "a/a.go", wide+"\n", "a/b.go", "\t"+narrow[tabColumns-1:]+"\n", "a/c.sql", narrow+"\n",
		"a/d.lua", "ä"+narrow[1:],
		"a.md", "| "+wide+"\n```\n"+wide+"\n```\n[x]("+wide+")\n"+wide+"\n", "c/a.txt", wide))
	require.NoError(t, err)
	assert.Equal(t, "a/a.go:1: 131 columns, at most 130\na/b.go:1: 131 columns, at most 130\na.md:6: 131 columns, at most 130",
		text(found))
}

func TestMetricsWithoutARowAndInventedOnesAreFound(t *testing.T) {
	code := parse(t, "a/a.go", `package a
var rows = prometheus.NewCounter(prometheus.CounterOpts{Name: "flashsale_rows_total", Help: "Rows."})
var age = prometheus.NewDesc("flashsale_age_seconds", "Age.", nil, nil)
var series = "flashsale_rows_total_other"
`, "a/a_test.go", "package a\nvar x = o{Name: \"flashsale_test\"}\n")
	good := "| `flashsale_rows_total{reason}` | x |\n| `flashsale_age_seconds` | x |\n'flashsale_migrate'@'%'\n"
	assert.Empty(t, text(metricFindings(code, "p", good)))
	assert.Equal(t, "a/a.go:3: flashsale_age_seconds has no row in p",
		text(metricFindings(code, "p", strings.Replace(good, "| `flashsale_age", "see `flashsale_age", 1))))
	assert.Equal(t, "p: names flashsale_depth, which no code registers",
		text(metricFindings(code, "p", good+"`flashsale_depth`")))
}

func TestRoomsWithoutARowAndInventedOnesAreFound(t *testing.T) {
	page := "text\n\n| room | role |\n| --- | --- |\n| `a` | x |\n| `test/b`, `main.go` | `no` |\n\n| `other` | table |\n"
	names := []string{"a/x.go", "a/deep/y.go", "test/b/z.go", "main.go", ".ci/run"}
	assert.Empty(t, text(roomFindings(names, "p", page)))
	assert.Equal(t, "p: no row for the room c\np: no row for the room test/d",
		text(roomFindings(append(names, "c/x.go", "c/y.go", "test/d/x.go"), "p", page)))
	assert.Equal(t, "p: has a row for main.go, which is no room", text(roomFindings(names[:3], "p", page)))
	assert.Contains(t, text(roomFindings(names, "p", "")), "has no table")
}

func TestUntidyModulesAreFound(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	write("go.mod", "module a.example\n\ngo 1.25\n")
	write("a.go", "package a\n")
	found, err := moduleFindings(folder)
	require.NoError(t, err)
	require.Empty(t, found)
	write("b/go.mod", "module b.example\n\ngo 1.25\n")
	write("go.mod", "module a.example\n\ngo 1.25\n\nrequire b.example v0.0.0\n\nreplace b.example => ./b\n")
	found, err = moduleFindings(folder)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Contains(t, found[0].fault, "-require b.example v0.0.0")
	write("go.mod", "nonsense")
	_, err = moduleFindings(folder)
	require.Error(t, err)
}

const goodScript = `-- Takes stock for every request of a batch.
-- KEYS[1] meta hash
-- ARGV[1] epoch; ARGV[2] to ARGV[11] columns
-- Reply: one string
-- Invariant: nothing is written before all checks
-- Cost: constant
local meta = redis.call('HGET', KEYS[1], ARGV[1], ARGV[10])
return meta
`

func TestScriptsWithoutAContractAreFound(t *testing.T) {
	found, err := scriptFindings(treeOf(t, "scripts/good.lua", goodScript))
	require.NoError(t, err)
	assert.Empty(t, text(found))
	for _, broken := range []struct{ old, new, fault string }{
		{"Takes stock for every request of a batch.", "Takes.", "purpose"},
		{"-- Reply: one string\n", "", "every reply"},
		{"-- Invariant: nothing is written before all checks\n", "", "the invariant"},
		{"-- Cost: constant\n", "", "the cost"},
		{"KEYS[1], ARGV[1]", "KEYS[2], ARGV[1]", "KEYS[2]"},
		{"ARGV[10])", "ARGV[12])", "ARGV[12]"},
		{"'HGET'", "'EXPIRE'", "never expire"},
		{"return meta", "return cjson.encode(meta)", "cjson"},
	} {
		found, err := scriptFindings(treeOf(t, "scripts/bad.lua", strings.Replace(goodScript, broken.old, broken.new, 1)))
		require.NoError(t, err)
		require.NotEmpty(t, found, broken.fault)
		assert.Contains(t, text(found), broken.fault)
	}
}

func outcomePage() string {
	var page strings.Builder
	for _, outcome := range sale.Outcomes() {
		fmt.Fprintf(&page, "| %d `%s` | gives up |\n", outcome.Row().Status, outcome.Row().Code)
	}
	return page.String()
}

func TestMissingAndInventedOutcomesAreFound(t *testing.T) {
	assert.Empty(t, text(outcomeFindings("docs/buyers.md", outcomePage())))
	assert.Contains(t, text(outcomeFindings("p", strings.Replace(outcomePage(), "`sold_out`", "sold out", 1))),
		"`sold_out` and 409")
	assert.Contains(t, text(outcomeFindings("p", outcomePage()+"| 409 `sold` |")), "409 `sold` is no outcome")
	assert.Contains(t, text(outcomeFindings("p", outcomePage()+"then 410 `sold_out` comes")), "410 `sold_out` is no outcome")
}

func TestMissingAndInventedSettingsAreFound(t *testing.T) {
	var page strings.Builder
	for _, s := range settings.All() {
		fmt.Fprintf(&page, "| `%s` |\n", s.Env())
	}
	assert.Empty(t, text(settingFindings("p", page.String(), settings.All())))
	assert.Contains(t, text(settingFindings("p", "", settings.All())), "does not name the setting kafka.brokers")
	assert.Contains(t, text(settingFindings("p", page.String()+"FLASHSALE_GATEWAY_COLOUR", settings.All())),
		"FLASHSALE_GATEWAY_COLOUR")
}
