package doctor

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The operators' page has a row for each check, and none that the doctor does not make.
func TestChecksAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| (`[a-z_]+`(?:, `[a-z_]+`)*) "+
		"\\|.*\\|$").FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(Stores(), row[1]) {
			continue
		}
		for _, check := range strings.Split(row[2], ", ") {
			documented[row[1]+" "+strings.Trim(check, "`")] = true
		}
	}
	made := map[string]bool{}
	for _, f := range everyFinding() {
		made[f.Store+" "+f.Check] = true
	}
	require.Equal(t, slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(made)))
}

// everyFinding judges facts that lead to every check.
func everyFinding() []Finding {
	lone := healthyNode("role", "slave", "master_link_status", "down")
	clustered := healthyNode()
	clustered.cluster = map[string]string{}
	o := Options{Topics: Topics{"f.orders", "f.dead", "f.events"}}
	topics := healthyKafka()
	topics.topics[0].settings = nil
	times := clocks{redis: clockReading{known: true}}
	for _, check := range []string{"redis", "local", "database"} {
		times.others = append(times.others, clock{check: check})
	}
	machine := machineFacts{}
	o.Certificates = []Certificate{{Setting: "redis.tls_cert_file"}}
	for _, setting := range []string{"gateway.listen", "admin.listen", "settle.listen"} {
		machine.listeners = append(machine.listeners, listenerFacts{setting: setting, err: errors.New("taken")})
	}
	database := healthyDatabase("wsrep_on", "ON", "max_statement_time", "0", "sql_safe_updates", "OFF")
	database.members, database.reads = make([]serverFacts, 2), &readsFacts{}
	sentinels := &findings{store: Redis}
	judgeSentinels(sentinels, []sentinelFacts{{addr: "s:1", err: errors.New("away")}}, "m")
	return slices.Concat(sentinels.all,
		judgedNode(healthyNode(), salesFacts{}), judgedNode(lone, salesFacts{}), judgedNode(clustered, salesFacts{}),
		judgeKafka(topics, databaseFacts{}, o), judgeKafka(healthyKafka(), databaseFacts{}, o),
		judgeKafka(kafkaFacts{err: errors.New("away")}, databaseFacts{}, o),
		judgeDatabase(database, o),
		judgeClocks(times), judgeMachine(machine, o),
	)
}
