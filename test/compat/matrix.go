package compat

import (
	"fmt"
	"slices"
	"strings"

	"flashsale/test/harness"
)

// Row is one choice of servers.
type Row struct {
	Name  string
	Kinds []string // of the table of test/harness; a role without one has its default
	Known []Known
}

// Known is a test that fails on the servers of a row by their fault: each time, or sometimes, where it needs a moment.
type Known struct {
	Test, Reason string
	Sometimes    bool
}

// Matrix is every row: first each kind beside the default servers, then sets that shops would run together.
var Matrix = []Row{
	{Name: "mysql97", Kinds: []string{"mysql-9.7"}},
	{Name: "mariadb118", Kinds: []string{"mariadb-11.8"}},
	{Name: "galera", Kinds: []string{"galera-10.11"}},
	{Name: "tidb", Kinds: []string{"tidb-8"}, Known: ofTiDB},
	{Name: "redis80", Kinds: []string{"redis-8.0"}},
	{Name: "valkey91", Kinds: []string{"valkey-9.1"}},
	{Name: "redis-cluster", Kinds: []string{"redis-7.0-cluster"}},
	{Name: "redis-sentinel", Kinds: []string{"redis-7.0-sentinel"}},
	{Name: "redis80-cluster", Kinds: []string{"redis-8.0-cluster"}},
	{Name: "valkey91-cluster", Kinds: []string{"valkey-9.1-cluster"}},
	{Name: "kafka44", Kinds: []string{"kafka-4.4"}},
	{Name: "kafka44-cluster", Kinds: []string{"kafka-4.4-cluster"}},
	{Name: "mysql97-valkey91-kafka44", Kinds: []string{"mysql-9.7", "valkey-9.1", "kafka-4.4"}},
	{Name: "mariadb118-redis80-kafka44", Kinds: []string{"mariadb-11.8", "redis-8.0", "kafka-4.4"}},
	{Name: "galera-valkey91-kafka44", Kinds: []string{"galera-10.11", "valkey-9.1", "kafka-4.4-cluster"}},
	{Name: "tidb-cluster-kafka44", Kinds: []string{"tidb-8", "redis-8.0-cluster", "kafka-4.4-cluster"},
		Known: ofTiDB},
}

// ofTiDB are the tests that a TiDB of one process fails.
var ofTiDB = []Known{
	{Test: "store.TestServerKilledInsideCommit", Sometimes: true, Reason: "the store `unistore` has its locks in memory alone, " +
		"so a server that is killed inside a COMMIT of several keys keeps some of them and forgets the rest. TiKV writes its " +
		"locks to disk"},
	{Test: "store.TestDatabaseKilled", Sometimes: true, Reason: "for the same reason it forgets, all of it, a commit that " +
		"it acknowledged a moment before it was killed; 3 s later it has it. TiKV writes its locks to disk"},
	{Test: "store.TestStatementsOfASettlement", Reason: "TiDB does not count statements in a status variable, by " +
		"which the test measures"},
	{Test: "test/e2e.TestManyOrders", Sometimes: true, Reason: "one process with `unistore` expires 100,010 orders in more " +
		"than the 30 s that the test allows"},
}

// Suite is one call of go test.
type Suite struct {
	Name     string
	Packages []string
	Run      string // pattern of tests; "": all
}

// rooms are the packages whose contract tests use a server of the role.
var rooms = map[string][]string{
	harness.RoleDatabase: {"./store", "./audit", "./doctor"},
	harness.RoleRedis:    {"./scripts", "./reserve", "./recovery", "./audit", "./doctor"},
	harness.RoleKafka:    {"./kafka", "./settle", "./events", "./audit", "./doctor"},
}

// fromOutside are the end-to-end tests of every row: rushes, kills, books, limits, transfers, orders' lives.
var fromOutside = []string{
	"TestRush", "TestRushOfThreeSKUs", "TestKillDuringRush", "TestTermLosesNothing", "TestColdStart", "TestManyOrders",
	"TestOrdersOfSeveralLines", "TestPaymentsAndCancellations", "TestUnpaidOrdersExpire", "TestReleasedUnitsAreSoldAgain",
	"TestAllowanceComesBackOnce", "TestAuditWithDeadLetters", "TestStockChanges", "TestStockChangesSurviveKills",
	"TestSkewedBuyersGetEveryUnit", "TestGivenBackUnitsReachEveryBuyer", "TestUnitsWhoseGatewayDiesArrive",
	"TestEventsOfEveryOrder", "TestFeed", "TestArchive", "TestWindow", "TestPauseAndResume",
}

// ofRole are further ones, which take a server of the role away.
var ofRole = map[string][]string{
	harness.RoleDatabase: {"TestMariaDBAway", "TestWaitersAreWoken", "TestDatabaseBecomesReadOnly",
		"TestDatabaseThatLostItsTail", "TestDatabaseLosesItsTailUnderSettlement"},
	harness.RoleRedis: {"TestRedisSilent", "TestRedisGone", "TestEmptyRedis", "TestTornAppendOnlyFile", "TestRushOnRedisCluster",
		"TestSkewedBuyersOnRedisCluster", "TestClusterFailover", "TestSentinelFailover"},
	harness.RoleKafka: {"TestKafkaAway", "TestJournalIsBounded", "TestKafkaStandsStill", "TestEventsWaitForKafka",
		"TestTermWhileKafkaIsAway", "TestRecreatedTopic"},
}

// Suites returns what the row runs, the start of its servers first.
func (r Row) Suites() ([]Suite, error) {
	kinds, err := r.kinds()
	if err != nil {
		return nil, err
	}
	var packages []string
	outside := slices.Clone(fromOutside)
	for _, k := range kinds {
		packages, outside = append(packages, rooms[k.Role]...), append(outside, ofRole[k.Role]...)
	}
	slices.Sort(packages)
	suites := []Suite{
		{"start", []string{"./test/harness"}, "^TestChosenServersServe$"},
		{"rooms", slices.Compact(packages), ""},
		{"end to end", []string{"./test/e2e"}, "^(" + strings.Join(outside, "|") + ")$"},
	}
	if slices.Contains(r.Kinds, "kafka-4.4-cluster") {
		suites = append(suites, Suite{"faults", []string{"./test/chaos"}, "^TestFaults$"})
	}
	return suites, nil
}

// Environment returns the variable that makes the harness start the row's servers.
func (r Row) Environment() (string, error) {
	kinds, err := r.kinds()
	if err != nil {
		return "", err
	}
	var chosen []string
	for _, k := range kinds {
		chosen = append(chosen, k.Role+"="+k.Name)
	}
	return harness.ServersVariable + "=" + strings.Join(chosen, ","), nil
}

func (r Row) kinds() ([]harness.Kind, error) {
	all := harness.Kinds()
	var kinds []harness.Kind
	for _, name := range r.Kinds {
		i := slices.IndexFunc(all, func(k harness.Kind) bool { return k.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("row %s: %s is no kind of test/harness", r.Name, name)
		}
		kinds = append(kinds, all[i])
	}
	return kinds, nil
}

// Chosen returns the rows that a list names, separated by commas: all for the empty list.
func Chosen(rows []Row, list string) ([]Row, error) {
	if list == "" {
		return rows, nil
	}
	var chosen []Row
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(names, strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("-only: %q is none of %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}
