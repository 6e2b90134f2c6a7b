package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
	deployed "flashsale/test/stack"
)

// diagnosis is one element of the doctor's JSON.
type diagnosis struct{ Store, Check, Level, Found, Why, Mend string }

// diagnosed runs the doctor and returns what it found.
func diagnosed(s *deployed.Stack, code int) (found []diagnosis) {
	s.T.Helper()
	result := s.Command("doctor", "-o", "json")
	require.Equal(s.T, code, result.Code, "%s%s", result.Stdout, result.Stderr)
	require.NoError(s.T, json.Unmarshal([]byte(result.Stdout), &found), result.Stdout)
	return found
}

func dangerous(found []diagnosis) []diagnosis {
	return slices.DeleteFunc(slices.Clone(found), func(d diagnosis) bool { return d.Level != "danger" })
}

// TestDoctor: the built binary judges a deployment before and after migrate and beside its running processes; a dangerous
// setting of each store is found, and exit code 1 says so.
func TestDoctor(t *testing.T) {
	redis, mariadb := harness.Redis(t, "--maxmemory", "1gb"), harness.MariaDB(t)
	s := deployed.New(t, servers{Redis: []*harness.RedisServer{redis}, MariaDB: mariadb, Env: []string{
		"FLASHSALE_GATEWAY_LISTEN=127.0.0.1:0", "FLASHSALE_ADMIN_LISTEN=127.0.0.1:0", "FLASHSALE_SETTLE_LISTEN=127.0.0.1:0"}})
	db := mariadb.Open(t, s.Name)
	set := func(statement string) {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	found := dangerous(diagnosed(s, 1))
	require.Len(t, found, 1, "the harness's database is made for speed")
	require.Equal(t, "flush", found[0].Check)
	set(found[0].Mend)
	require.Empty(t, dangerous(diagnosed(s, 0)), "before migrate")

	s.Migrate().Run(1, 1)
	s.Env = append(s.Env, "FLASHSALE_GATEWAY_LISTEN="+s.Gateways[0].Listen, "FLASHSALE_ADMIN_LISTEN="+s.Gateways[0].Operators,
		"FLASHSALE_SETTLE_LISTEN="+s.Settles[0].Listen)
	all := diagnosed(s, 0)
	require.Empty(t, dangerous(all), "beside the processes")
	for _, check := range []string{"gateway_listen", "admin_listen", "settle_listen"} {
		at := slices.IndexFunc(all, func(d diagnosis) bool { return d.Check == check })
		require.Contains(t, all[at].Found, "a process of the engine")
	}
	for _, d := range all {
		assert.NotEmpty(t, d.Why, "%+v", d)
		assert.Equal(t, d.Level == "ok", d.Mend == "", "%+v", d)
	}

	redis.MustDo(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	set("SET GLOBAL autocommit = OFF")
	text := s.Command("doctor")
	require.Equal(t, 1, text.Code, text.Stderr)
	require.Contains(t, text.Stdout, "danger   eviction: "+redis.Addr+": maxmemory-policy allkeys-lru")
	require.Contains(t, text.Stdout, "> redis-cli -h 127.0.0.1 -p "+redis.Addr[strings.Index(redis.Addr, ":")+1:]+
		" CONFIG SET maxmemory-policy noeviction")
	require.NotContains(t, text.Stdout+text.Stderr, deployed.AdminToken)
}

// TestDoctorWithoutStores: when no store answers, the addresses are told with exit code 2.
func TestDoctorWithoutStores(t *testing.T) {
	closed := harness.Address(t)
	result := harness.Run(t, "", harness.Binary(t), []string{"FLASHSALE_MYSQL_DSN=u:secret-word@tcp(" + closed + ")/d",
		"FLASHSALE_REDIS_ADDRS=" + closed, "FLASHSALE_KAFKA_BROKERS=" + closed}, "doctor")
	require.Equal(t, 2, result.Code, result.Stderr)
	require.Equal(t, 3, strings.Count(result.Stdout, "danger   answers: "), result.Stdout)
	require.Contains(t, result.Stdout, closed)
	require.NotContains(t, result.Stdout+result.Stderr, "secret-word")
	require.Equal(t, 80, harness.Run(t, "", harness.Binary(t), nil, "doctor").Code, "mysql.dsn is needed")
}
