package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestCommands takes a sale through its life with the commands alone, as an operator's script does.
func TestCommands(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	assert.Equal(t, s.Succeed("migrate"), s.Succeed("migrate"), "migrate may be repeated")
	yaml := fmt.Sprintf("name: By hand\nstarts_at: %s\nends_at: %s\neligibility: list\n"+
		"items:\n- {sku: phone, stock: 5, price_cents: 100}\n",
		at(-time.Minute), at(time.Hour))
	file := filepath.Join(t.TempDir(), "sale.yaml")
	require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
	assert.Equal(t, "sale hand: draft (ends in 59m 59s), 5 units of 1 SKU\n", s.Succeed("sale", "create", "hand", "-f", file))
	listed := s.CommandWith("alice\nbob\n", "sale", "buyers", "hand", "-f", "-")
	require.Zero(t, listed.Code, listed.Stderr)
	assert.Contains(t, listed.Stdout, "2")
	for _, verb := range []string{"preload", "open", "pause", "resume"} {
		s.Succeed("sale", verb, "hand")
	}
	assert.Regexp(t, `(?m)^hand +open, ends in 59m \d+s +5 +0 +0 +By hand$`, s.Succeed("sale", "list"))
	assert.Contains(t, s.Succeed("sale", "show", "hand", "-o", "json"), `"open"`)
	s.eventuallyState(s.Gateways[0], "hand", "open")
	bearer := strings.TrimSpace(s.Succeed("token", "--buyer", "alice", "--ttl", "1h"))
	s.taken(ask{sale: "hand", bearer: bearer})
	tokens := strings.Fields(s.Succeed("token", "--count", "3", "--prefix", "load-"))
	require.Len(t, tokens, 3)
	for _, one := range tokens {
		s.refused(s.buy(ask{sale: "hand", bearer: one}), 403, "not_eligible")
	}
	s.audit("hand")
	assert.Regexp(t, `(?m)^ +phone +5 +4 +0 +1 +0 +1 +0 +1\.00 CNY$`, s.Succeed("sale", "show", "hand"))
	assert.Regexp(t, `(?m)^phone +5 +4 +0 +1 +0 +1 +0 `, s.Succeed("top", "hand", "--once"))
	var audit struct {
		Holds bool `json:"holds"`
		Items []struct{ Settled, Difference int }
	}
	require.NoError(t, json.Unmarshal([]byte(s.Succeed("audit", "hand", "-o", "json")), &audit))
	require.Len(t, audit.Items, 1)
	assert.True(t, audit.Holds)
	assert.Equal(t, 1, audit.Items[0].Settled)
	s.Succeed("sale", "close", "hand")
	refused := s.Command("sale", "open", "hand")
	assert.Equal(t, 1, refused.Code)
	assert.Contains(t, refused.Stderr, "wrong_state")
	assert.Empty(t, refused.Stdout)
	ruleCommands(s)
	outcomesOfAudit(s)
}

func ruleCommands(s *stack) {
	s.t.Helper()
	put := s.CommandWith("buyer: {per_second: 5, burst: 10}\n", "rules", "put", "-f", "-")
	require.Zero(s.t, put.Code, put.Stderr)
	assert.Contains(s.t, s.Succeed("rules", "get"), `"per_second"`)
	bad := s.CommandWith("buyer: {per_second: 0, burst: 10}\n", "rules", "put", "-f", "-")
	assert.Equal(s.t, 1, bad.Code)
	assert.Contains(s.t, bad.Stderr, "buyer.per_second")
	some := s.CommandWith("flow: [{resource: purchase, qps: 5000}]\n", "rules", "put", "-f", "-")
	require.Zero(s.t, some.Code, some.Stderr)
	for set, effect := range map[string]string{
		"{}":                                   "removes every rule",
		"flow: [{resource: purchase, qps: 0}]": "refuses every request of purchase",
	} {
		unmeant := s.CommandWith(set, "rules", "put", "-f", "-")
		assert.Equal(s.t, 80, unmeant.Code)
		assert.Contains(s.t, unmeant.Stderr, effect)
		assert.Contains(s.t, unmeant.Stderr, "--yes")
	}
	assert.Equal(s.t, some.Stdout, s.Succeed("rules", "get"), "what was not meant changes nothing")
	stale := s.CommandWith("{version: 1, flow: [{resource: purchase, qps: 7}]}", "rules", "put", "-f", "-")
	assert.Equal(s.t, 1, stale.Code)
	assert.Contains(s.t, stale.Stderr, "the present version is 2")
	require.Zero(s.t, s.CommandWith("buyer: null", "rules", "put", "--yes", "-f", "-").Code)
}

// outcomesOfAudit: 1 when the books do not hold, 2 when they could not be read.
func outcomesOfAudit(s *stack) {
	s.t.Helper()
	s.open("false", lasting(phone(5)))
	s.taken(ask{sale: "false", buyer: "b"})
	s.audit("false")
	_, err := s.DB().Exec("UPDATE stock SET loaded = loaded + 1 WHERE sale_id = 'false'")
	require.NoError(s.t, err)
	wrong := s.Command("audit", "false")
	assert.Equal(s.t, 1, wrong.Code, "%s%s", wrong.Stdout, wrong.Stderr)
	_, err = s.DB().Exec("UPDATE stock SET loaded = loaded - 1 WHERE sale_id = 'false'")
	require.NoError(s.t, err)
	s.audit("false")
	away := harness.Run(s.t, "", s.Bin, append(append([]string{}, s.Env...), "FLASHSALE_ADMIN_URL=http://"+harness.Address(s.t)),
		"audit")
	assert.Equal(s.t, 2, away.Code, "%s%s", away.Stdout, away.Stderr)
	assert.Equal(s.t, 2, s.Command("audit", "nowhere").Code)
}

// TestWrongSettings: a wrong configuration stops at start, exit 80, with every fault named at once and no secret shown.
func TestWrongSettings(t *testing.T) {
	bin := harness.Binary(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte("gateway:\n  colour: red\n  ack_timeout: soon\nredis:\n  addrs: 127.0.0.1:1\n"),
		0o600))
	result := harness.Run(t, "", bin, []string{"FLASHSALE_AUTH_HS256_SECRET=too-short-secret", "FLASHSALE_KAFKA_PARTITIONS=none"},
		"gateway", "--config", file)
	assert.Equal(t, 80, result.Code, result.Stderr)
	for _, fault := range []string{"gateway.colour", "ack_timeout", "hs256_secret", "partitions", "admin.token", "mysql.dsn"} {
		assert.Contains(t, strings.ToLower(result.Stderr), fault)
	}
	assert.NotContains(t, result.Stderr, "too-short-secret")
	for _, args := range [][]string{{"sell"}, {"gateway", "--colour", "red"}, {"sale", "create"}, {"audit", "--wait", "soon"}} {
		assert.Equal(t, 80, harness.Run(t, "", bin, nil, args...).Code, "%v", args)
	}
	shown := harness.Run(t, "", bin, []string{"FLASHSALE_ADMIN_TOKEN=" + adminToken, "FLASHSALE_KAFKA_COLOUR=red"}, "config")
	require.Zero(t, shown.Code, shown.Stderr)
	assert.Contains(t, shown.Stdout, "gateway.ack_timeout")
	assert.NotContains(t, shown.Stdout, adminToken)
	assert.Contains(t, shown.Stderr, "FLASHSALE_KAFKA_COLOUR", "an unknown variable is a warning")
	version := harness.Run(t, "", bin, nil, "version")
	require.Zero(t, version.Code)
	assert.Contains(t, version.Stdout, "go1.")
}

// TestTakenPort: each listener names the address that is in use.
func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	s := newStack(t, servers{})
	address := taken.Addr().String()
	for command, setting := range map[string]string{"gateway": "FLASHSALE_GATEWAY_LISTEN", "settle": "FLASHSALE_SETTLE_LISTEN"} {
		env := append(append([]string{}, s.Env...), "FLASHSALE_ADMIN_LISTEN="+harness.Address(t), setting+"="+address)
		result := harness.Run(t, "", s.Bin, env, command)
		assert.Equal(t, 80, result.Code, result.Stderr)
		assert.Contains(t, result.Stderr, address)
	}
	dev := harness.Run(t, "", s.Bin, []string{"FLASHSALE_GATEWAY_LISTEN=" + address,
		"FLASHSALE_ADMIN_LISTEN=" + harness.Address(t)}, "dev")
	assert.Equal(t, 80, dev.Code, dev.Stderr)
	assert.Contains(t, dev.Stderr, address)
}

// TestWaitsForItsStores: processes without a database wait and report it; without a schema they end.
func TestWaitsForItsStores(t *testing.T) {
	mariadb := harness.MariaDB(t)
	s := newStack(t, servers{MariaDB: mariadb})
	mariadb.Stop()
	g := s.NewGateway()
	g.Start()
	g.WaitReady("http://" + g.Buyers + "/livez")
	s.refused(s.request("GET", "http://"+g.Buyers+"/readyz", nil), 503, "unavailable")
	waiting := s.request("GET", "http://"+g.Operators+"/readyz", nil)
	require.Equal(t, 503, waiting.status)
	assert.NotEmpty(t, waiting.json(s)["checks"], "%s", waiting.body)
	mariadb.Start()
	g.Ready()
	empty := append(append([]string{}, s.Env...), "FLASHSALE_MYSQL_DSN="+mariadb.DSN("empty"),
		"FLASHSALE_GATEWAY_LISTEN="+harness.Address(t),
		"FLASHSALE_ADMIN_LISTEN="+harness.Address(t), "FLASHSALE_SETTLE_LISTEN="+harness.Address(t))
	for _, command := range []string{"gateway", "settle"} {
		result := harness.Run(t, "", s.Bin, empty, command)
		assert.Equal(t, 1, result.Code, result.Stderr)
		assert.Contains(t, result.Stderr, "schema")
	}
}
