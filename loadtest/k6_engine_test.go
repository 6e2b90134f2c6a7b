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
	"flashsale/test/stack"
)

// newEngine runs two gateways on servers of its own.
func newEngine(t *testing.T) *stack.Stack {
	t.Helper()
	t.Cleanup(func() { harness.Close(!t.Failed()) })
	return stack.New(t, stack.Options{Name: "k6", Redis: []*harness.RedisServer{harness.Redis(t)}, Kafka: harness.Kafka(t),
		MariaDB: harness.MariaDB(t)}).Migrate().Run(2, 1)
}

// TestK6AgainstTheEngine runs the whole chain of a load test: tokens from the command, k6 against real gateways, the
// verdict from the database and k6's output.
func TestK6AgainstTheEngine(t *testing.T) {
	e, folder := newEngine(t), t.TempDir()
	urls := "http://" + e.Gateways[0].Buyers + ",http://" + e.Gateways[1].Buyers
	tokens := filepath.Join(folder, "tokens.txt")
	require.NoError(t, os.WriteFile(tokens, []byte(e.Succeed("token", "--count", "2000", "--prefix", "load-")), 0o600))
	for script, parameters := range map[string][]string{
		"rush.js":  {"-e", "RATE=1000", "-e", "RAMP=2", "-e", "P99_MS=5000", "-e", "MAX_DROPPED=200"},
		"retry.js": {"-e", "RATE=400", "-e", "TIMEOUT_MS=5"},
	} {
		saleID := strings.TrimSuffix(script, ".js")
		now := time.Now()
		e.SucceedWith(fmt.Sprintf(`{"name":"k6","starts_at":%q,"ends_at":%q,"items":[{"sku":"phone","stock":500,`+
			`"price_cents":1}]}`,
			now.Add(-time.Minute).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)), "sale", "create", saleID,
			"-f", "-")
		e.Succeed("sale", "preload", saleID)
		e.Succeed("sale", "open", saleID)
		told := filepath.Join(folder, saleID+".json")
		args := append([]string{"run", "--no-usage-report", "--no-color", "--quiet", "--address", "", "--out", "json=" + told,
			"-e", "TOKENS=" + tokens, "-e", "SALE=" + saleID, "-e", "URLS=" + urls}, parameters...)
		output, err := exec.CommandContext(t.Context(), k6Binary(t), append(args, script)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
		verdict := e.Succeed("load", "verdict", saleID, "--history", told)
		require.Contains(t, verdict, "sold 500  oversold 0  duplicated 0  missing 0  lost 0  untold 0", "%s", output)
	}
}
