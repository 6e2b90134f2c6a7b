package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// productionBlock returns what the README has an operator paste.
func productionBlock(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(harness.Root(t), "README.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## A sale in production\n")
	require.True(t, found)
	block := regexp.MustCompile("(?s)```\n(.*?)```").FindStringSubmatch(section)
	require.NotNil(t, block)
	return block[1]
}

// pasted returns the block with the addresses of the stores replaced by those of real ones. Each is in it once; the rest of
// the block runs unchanged.
func pasted(t testing.TB, block string, places map[string]string) string {
	t.Helper()
	for shown, real := range places {
		require.Equal(t, 1, strings.Count(block, shown), "%s in\n%s", shown, block)
		block = strings.Replace(block, shown, real, 1)
	}
	return block
}

// TestReadmeBlockWorksAsPasted runs the README's production block, line by line, against real servers on an empty schema.
func TestReadmeBlockWorksAsPasted(t *testing.T) {
	harness.Program(t, "curl", "curl")
	harness.Program(t, "openssl", "openssl")
	s := newStack(t, servers{}) // for its servers and its namespace
	const flush = "SET GLOBAL innodb_flush_log_at_trx_commit = "
	_, err := s.DB().Exec(flush + "1") // as a production server has it: the doctor ends the block otherwise
	require.NoError(t, err)
	defer func() { _, err := s.DB().Exec(flush + "2"); require.NoError(t, err) }()
	programs, dir := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(s.Bin, filepath.Join(programs, "flashsale")))
	buyers, operators := harness.Address(t), harness.Address(t)
	block := productionBlock(t)
	assert.Contains(t, block, "@tcp(db:3306)/flashsale", "a schema of its own, not the shop's")
	script := pasted(t, block, map[string]string{
		"flashsale:change-me@tcp(db:3306)/flashsale": s.MariaDB.DSN(s.Name + "-pasted"), "redis:6379": s.Redis[0].Addr,
		"kafka:9092": s.Kafka.Brokers[0], "http://127.0.0.1:8080": "http://" + buyers,
	})
	// A terminal runs the next line after one that failed; here the first failure ends the script. Background processes end
	// with the script, as with a terminal.
	script = "set -eu\ntrap 'kill $(jobs -p); wait' EXIT\ncd " + dir + "\n" + script + "\nflashsale sale show double-11 -o json\n"
	result := harness.Run(t, script, "bash", []string{
		"PATH=" + programs + ":" + os.Getenv("PATH"), "FLASHSALE_NAMESPACE=" + s.Name + "-pasted",
		"FLASHSALE_GATEWAY_LISTEN=" + buyers,
		"FLASHSALE_ADMIN_LISTEN=" + operators, "FLASHSALE_ADMIN_URL=http://" + operators,
		"FLASHSALE_SETTLE_LISTEN=" + harness.Address(t),
	}, "-s")
	require.Zero(t, result.Code, "%s\n%s", result.Stdout, result.Stderr)
	assert.Contains(t, result.Stdout, "schema and topics are up to date")
	assert.Regexp(t, `double-11 +phone +10000 +10000 +0 +0 +0 +0 +yes`, result.Stdout, "what the audit prints")
	assert.Contains(t, result.Stdout, `"state":"open"`)
}

// TestSaleIsShownAsItsFile: what `sale show -o yaml` prints is what `sale create -f -` takes, for the same sale in every
// state and for a copy of it.
func TestSaleIsShownAsItsFile(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	d := lasting(phone(5))
	s.create("rush", d)
	for _, verb := range []string{"", "preload", "open", "pause", "close"} {
		if verb != "" {
			s.move("rush", verb)
		}
		before := s.Succeed("sale", "show", "rush", "-o", "json")
		same := s.CommandWith(s.Succeed("sale", "show", "rush", "-o", "yaml"), "sale", "create", "rush", "-f", "-")
		require.Zero(t, same.Code, "after %q: %s", verb, same.Stderr)
		require.Equal(t, before, s.Succeed("sale", "show", "rush", "-o", "json"))
	}
	shown := s.Succeed("sale", "show", "rush", "-o", "yaml")
	require.Zero(t, s.CommandWith(shown, "sale", "create", "copy", "-f", "-").Code)
	require.Equal(t, shown, s.Succeed("sale", "show", "copy", "-o", "yaml"))
	require.Equal(t, 80, s.Command("sale", "show", "rush", "-o", "xml").Code)
}
