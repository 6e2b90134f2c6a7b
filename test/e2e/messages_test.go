package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestMessagesNameWhatIsAway: a message about an unavailable server names the server, and a message about a step that is
// not allowed names the step that has to come first.
func TestMessagesNameWhatIsAway(t *testing.T) {
	redis, mariadb := harness.Redis(t), harness.MariaDB(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}, MariaDB: mariadb}).run(1, 1)
	s.create("rush", lasting(phone(5)))
	draft := s.Command("sale", "open", "rush")
	assert.Equal(t, 1, draft.Code)
	assert.Contains(t, draft.Stderr, "preload first")

	redis.Kill()
	lost := s.Command("sale", "preload", "rush")
	assert.Equal(t, 1, lost.Code)
	assert.Contains(t, lost.Stderr, "unavailable (503): the request to Redis failed")
	redis.Start()
	mariadb.Kill()
	for _, words := range [][]string{{"sale", "show", "rush"}, {"rules", "get"}, {"audit", "rush"}, {"deadletter", "list"},
		{"orders"}, {"orders", "-o", "csv"}} {
		lost := s.Command(words...)
		assert.Equal(t, 2, lost.Code, "%v", words)
		assert.Contains(t, lost.Stderr, "unavailable (503): the request to the database failed", "%v", words)
	}
	mariadb.Start()

	unknown := s.Command("deadletter", "replay", "99")
	assert.Equal(t, 1, unknown.Code)
	assert.Equal(t, 1, strings.Count(unknown.Stderr, "dead letter 99"), unknown.Stderr)
	for _, words := range [][]string{{"gateway"}, {"settle"}} {
		env := append(append([]string{}, s.Env...), "FLASHSALE_MYSQL_DSN="+mariadb.DSN("empty"),
			"FLASHSALE_GATEWAY_LISTEN="+harness.Address(t),
			"FLASHSALE_ADMIN_LISTEN="+harness.Address(t), "FLASHSALE_SETTLE_LISTEN="+harness.Address(t))
		result := harness.Run(t, "", s.Bin, env, words...)
		require.NotZero(t, result.Code, "%v", words)
		assert.Contains(t, result.Stderr, "run flashsale migrate", "%v", words)
	}
	address := harness.Address(t)
	nobody := harness.Run(t, "", s.Bin, append(append([]string{}, s.Env...), "FLASHSALE_ADMIN_URL=http://"+address), "sale",
		"open", "rush")
	assert.Equal(t, 1, nobody.Code)
	assert.Contains(t, nobody.Stderr, "at http://"+address+", is a gateway running there (admin.url)?")
	assert.Equal(t, 1, strings.Count(nobody.Stderr, "http://"), nobody.Stderr)
}

// TestAuditNamesStoreAndNextStep: audit and load verdict name the store that they could not read, its address and what to do.
func TestAuditNamesStoreAndNextStep(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(5)))
	nowhere := harness.Address(t)
	away := "root:hidden@tcp(" + nowhere + ")/shop"
	for _, tc := range []struct {
		variable, value string
		verdict         bool // load verdict reads it too
		words           []string
	}{
		{"FLASHSALE_MYSQL_DSN", away, true,
			[]string{"database shop at " + nowhere, "is the database running there (mysql.dsn)?"}},
		{"FLASHSALE_MYSQL_DSN", s.MariaDB.DSN("empty"), true, []string{"run flashsale migrate"}},
		{"FLASHSALE_REDIS_ADDRS", nowhere, false, []string{"redis at " + nowhere, "is Redis running there (redis.addrs)"}},
		{"FLASHSALE_KAFKA_BROKERS", nowhere, false, []string{"kafka at " + nowhere, "is a broker running there (kafka.brokers)"}},
		{"FLASHSALE_NAMESPACE", "elsewhere", false, []string{"elsewhere.orders", "run flashsale migrate, or correct namespace"}},
		{"FLASHSALE_ADMIN_URL", "http://" + nowhere, true,
			[]string{"http://" + nowhere, "is a gateway running there (admin.url)?"}},
		{"FLASHSALE_ADMIN_TOKEN", "not-the-operators-token", true,
			[]string{"(401)", "http://" + s.Gateways[0].Operators, "set admin.token"}},
	} {
		env := append(append([]string{}, s.Env...), "FLASHSALE_ADMIN_URL=http://"+s.Gateways[0].Operators,
			tc.variable+"="+tc.value)
		commands := [][]string{{"audit", "rush"}}
		if tc.verdict {
			commands = append(commands, []string{"load", "verdict", "rush", "--wait", "100ms"})
		}
		for _, words := range commands {
			result := harness.Run(t, "", s.Bin, env, words...)
			assert.Equal(t, 2, result.Code, "%v with %s", words, tc.variable)
			for _, word := range tc.words {
				assert.Contains(t, result.Stderr, word, "%v", words)
			}
			assert.NotContains(t, result.Stderr, "hidden", "%v shows a password", words)
		}
	}
}

// TestMigrateNamesStoreAndNextStep: what goes wrong between migrate and the stores.
func TestMigrateNamesStoreAndNextStep(t *testing.T) {
	s := newStack(t, servers{})
	nowhere, dsn := harness.Address(t), s.MariaDB.DSN(s.Name)
	_, place, found := strings.Cut(dsn, "@tcp(")
	require.True(t, found, dsn)
	at, rest, found := strings.Cut(place, ")")
	require.True(t, found, dsn)
	secured := harness.KafkaSecured(t, "weak")
	login := func(password string) []string {
		return []string{"FLASHSALE_KAFKA_BROKERS=" + secured.Brokers[0], "FLASHSALE_KAFKA_SASL_MECHANISM=PLAIN",
			"FLASHSALE_KAFKA_SASL_USERNAME=weak", "FLASHSALE_KAFKA_SASL_PASSWORD=" + password}
	}
	for _, fault := range []struct {
		env   []string
		words []string
	}{
		{[]string{"FLASHSALE_MYSQL_DSN=root:hidden@tcp(" + nowhere + ")/shop"},
			[]string{"database shop at " + nowhere, "is the database running there (mysql.dsn)?"}},
		{[]string{"FLASHSALE_MYSQL_DSN=nobody:hidden@tcp(" + at + ")" + rest},
			[]string{"at " + at, "correct user and password in mysql.dsn"}},
		{[]string{"FLASHSALE_KAFKA_BROKERS=" + nowhere},
			[]string{"kafka at " + nowhere, "is a broker running there (kafka.brokers)"}},
		{login("hidden"), []string{"kafka at " + secured.Brokers[0], "kafka.sasl_password"}},
		{login(harness.PasswordOf("weak")), []string{"kafka at " + secured.Brokers[0], "User:weak", "kafka-acls.sh"}},
	} {
		result := harness.Run(t, "", s.Bin, append(append([]string{}, s.Env...), fault.env...), "migrate")
		assert.Equal(t, 1, result.Code, "%v", fault.env)
		for _, word := range fault.words {
			assert.Contains(t, result.Stderr, word, "%v", fault.env)
		}
		assert.NotContains(t, result.Stderr, "hidden")
	}
}

// TestProcessesNameWhatTheyWaitFor: a process that waits for a store at its start logs where that is and what to look at.
func TestProcessesNameWhatTheyWaitFor(t *testing.T) {
	s := newStack(t, servers{})
	nowhere := harness.Address(t)
	s.Env = append(s.Env, "FLASHSALE_MYSQL_DSN=root:hidden@tcp("+nowhere+")/shop", "FLASHSALE_REDIS_ADDRS="+nowhere,
		"FLASHSALE_KAFKA_BROKERS="+nowhere)
	for _, process := range []*gateway{s.NewGateway(), s.NewSettle()} {
		process.Start()
		for _, said := range []string{
			`"at":"shop at ` + nowhere + `","ask":"is the database running there`,
			`"at":"` + nowhere + `","ask":"is Redis running there (redis.addrs)`,
			`"at":"` + nowhere + `","ask":"is a broker running there (kafka.brokers)`,
		} {
			logged := func() bool { return strings.Contains(process.Stderr(), said) }
			require.Eventually(t, logged, 20*time.Second, 20*time.Millisecond, said)
		}
		assert.NotContains(t, process.Stderr(), "hidden")
		process.Kill()
	}
}
