//go:build k6

package loadtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// engine is a deployment with two gateways and private servers.
type engine struct {
	t    *testing.T
	env  []string
	urls []string // of the gateways
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	t.Cleanup(func() { harness.Close(!t.Failed()) })
	operators := []string{harness.Address(t), harness.Address(t)}
	e := &engine{t: t, env: []string{
		"FLASHSALE_NAMESPACE=k6", "FLASHSALE_REDIS_ADDRS=" + harness.Redis(t).Addr,
		"FLASHSALE_KAFKA_BROKERS=" + strings.Join(harness.Kafka(t).Brokers, ","),
		"FLASHSALE_MYSQL_DSN=" + harness.MariaDB(t).DSN("k6"), "FLASHSALE_ADMIN_TOKEN=operators-token-k6",
		"FLASHSALE_AUTH_HS256_SECRET=" + secret, "FLASHSALE_SETTLE_LISTEN=" + harness.Address(t),
		"FLASHSALE_ADMIN_URL=http://" + operators[0],
	}}
	e.run("", "migrate")
	harness.Start(t, harness.Binary(t), e.env, "settle")
	for _, operators := range operators {
		buyers := harness.Address(t)
		env := append(e.env[:len(e.env):len(e.env)], "FLASHSALE_GATEWAY_LISTEN="+buyers, "FLASHSALE_ADMIN_LISTEN="+operators)
		harness.Start(t, harness.Binary(t), env, "gateway").WaitReady("http://" + buyers + "/readyz")
		e.urls = append(e.urls, "http://"+buyers)
	}
	return e
}

// run runs a command of the binary that must succeed and returns its standard output.
func (e *engine) run(input string, args ...string) string {
	e.t.Helper()
	result := harness.Run(e.t, input, harness.Binary(e.t), e.env, args...)
	require.Zero(e.t, result.Code, "flashsale %v\n%s%s", args, result.Stdout, result.Stderr)
	return result.Stdout
}

// TestK6AgainstTheEngine runs the whole chain of a load test: tokens from the command, k6 against real gateways, the
// verdict from the database and k6's output.
func TestK6AgainstTheEngine(t *testing.T) {
	e, folder := newEngine(t), t.TempDir()
	tokens := filepath.Join(folder, "tokens.txt")
	require.NoError(t, os.WriteFile(tokens, []byte(e.run("", "token", "--count", "2000", "--prefix", "load-")), 0o600))
	for script, parameters := range map[string][]string{
		"rush.js":  {"-e", "RATE=1000", "-e", "RAMP=2", "-e", "P99_MS=5000", "-e", "MAX_DROPPED=200"},
		"retry.js": {"-e", "RATE=400", "-e", "TIMEOUT_MS=5"},
	} {
		saleID := strings.TrimSuffix(script, ".js")
		now := time.Now()
		e.run(fmt.Sprintf(`{"name":"k6","starts_at":%q,"ends_at":%q,"items":[{"sku":"phone","stock":500,"price_cents":1}]}`,
			now.Add(-time.Minute).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)), "sale", "create", saleID, "-f",
			"-")
		e.run("", "sale", "preload", saleID)
		e.run("", "sale", "open", saleID)
		told := filepath.Join(folder, saleID+".json")
		args := append([]string{"run", "--no-usage-report", "--no-color", "--quiet", "--address", "", "--out", "json=" + told,
			"-e", "TOKENS=" + tokens, "-e", "SALE=" + saleID, "-e", "URLS=" + strings.Join(e.urls, ",")}, parameters...)
		output, err := exec.CommandContext(t.Context(), k6Binary(t), append(args, script)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
		verdict := e.run("", "load", "verdict", saleID, "--history", told)
		require.Contains(t, verdict, "sold 500  oversold 0  duplicated 0  missing 0  lost 0  untold 0", "%s", output)
	}
}
