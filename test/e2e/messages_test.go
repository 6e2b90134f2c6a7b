package e2e

import (
	"strings"
	"testing"

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
	for _, words := range [][]string{{"sale", "show", "rush"}, {"rules", "get"}, {"audit", "rush"}} {
		lost := s.Command(words...)
		assert.Equal(t, 2, lost.Code, "%v", words)
		assert.Contains(t, lost.Stderr, "unavailable (503): the request to the database failed", "%v", words)
	}
	mariadb.Start()

	unknown := s.Command("deadletter", "replay", "99")
	assert.Equal(t, 1, unknown.Code)
	assert.Equal(t, 1, strings.Count(unknown.Stderr, "dead letter 99"), unknown.Stderr)
	for _, words := range [][]string{{"deadletter", "list"}, {"deadletter", "refuse", "1"}, {"gateway"}, {"settle"}} {
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
