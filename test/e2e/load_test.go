package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestLoadCommands runs the generator against two gateways and has the verdict judge what buyers were told.
func TestLoadCommands(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	const units = 500
	s.open("rush", lasting(phone(units)))
	history := filepath.Join(t.TempDir(), "history")
	aim := []string{"--url", "http://" + s.Gateways[0].Buyers + ",http://" + s.Gateways[1].Buyers, "--sale", "rush", "--sku", "phone", "--buyers", "2000"}
	rush := s.Command(append([]string{"load", "rush", "--rate", "1000", "--repeat", "0.3", "--history", history}, aim...)...)
	require.Zero(t, rush.Code, "%s%s", rush.Stdout, rush.Stderr)
	for _, shown := range []string{"p50", "p99", "queued", "sold_out"} {
		assert.Contains(t, rush.Stdout, shown)
	}
	s.audit("rush")
	verdict := s.Command("load", "verdict", "rush", "--history", history)
	require.Zero(t, verdict.Code, "%s%s", verdict.Stdout, verdict.Stderr)
	for _, judged := range []string{"sold", "oversold", "duplicated", "lost", fmt.Sprint(units)} {
		assert.Contains(t, verdict.Stdout, judged)
	}
	unjudged := s.Command("load", "verdict", "rush")
	require.Zero(t, unjudged.Code)
	assert.Contains(t, unjudged.Stdout, "not judged", "without a history nobody knows what buyers were told")
	forgeHistory(t, history)
	lost := s.Command("load", "verdict", "rush", "--history", history)
	assert.Equal(t, 1, lost.Code, "%s%s", lost.Stdout, lost.Stderr)
	_, err := s.DB().Exec("UPDATE stock SET loaded = loaded - 1 WHERE sale_id = 'rush'")
	require.NoError(t, err)
	assert.Equal(t, 1, s.Command("load", "verdict", "rush", "--wait", "1s").Code, "one more sold than loaded")
	targets(s, aim)
}

// forgeHistory makes a buyer remember an order that nobody has.
func forgeHistory(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	id := regexp.MustCompile(`\b[1-9]\d{14,18}\b`).Find(text)
	require.NotNil(t, id, "no order id in the history")
	forged := bytes.ReplaceAll(text, id, []byte(strings.Repeat("7", len(id))))
	require.NoError(t, os.WriteFile(name, forged, 0o600))
}

// targets reads what vegeta would read: a JSON object a line, each with a token of another buyer.
func targets(s *stack, aim []string) {
	s.t.Helper()
	lines := strings.Split(strings.TrimSpace(s.Succeed(append([]string{"load", "targets"}, aim...)...)), "\n")
	require.Len(s.t, lines, 2000)
	tokens := map[string]bool{}
	for _, line := range lines {
		var target struct {
			Method, URL string
			Header      map[string][]string
		}
		require.NoError(s.t, json.Unmarshal([]byte(line), &target))
		require.Equal(s.t, "POST", target.Method)
		require.True(s.t, strings.Contains(target.URL, "/v1/sales/rush/items/phone/orders"), target.URL)
		tokens[target.Header["Authorization"][0]] = true
	}
	require.Len(s.t, tokens, 2000)
	var first struct {
		URL    string
		Header map[string][]string
	}
	require.NoError(s.t, json.Unmarshal([]byte(lines[0]), &first))
	answer := s.request("POST", first.URL, nil, "Authorization", first.Header["Authorization"][0])
	require.Contains(s.t, []int{202, 200, 409}, answer.status, "%s", answer.body)
}

// TestSettingsOfTheBinary compares what the binary lists with what it reads: every line of config is a setting.
func TestSettingsOfTheBinary(t *testing.T) {
	shown := harness.Run(t, "", harness.Binary(t), []string{"FLASHSALE_NAMESPACE=from-here"}, "config", "--gateway-listen", "127.0.0.1:1")
	require.Zero(t, shown.Code, shown.Stderr)
	for _, want := range []string{`namespace\s.*from-here.*(env|FLASHSALE_NAMESPACE)`, `gateway\.listen\s.*127\.0\.0\.1:1\b.*flag`, `redis\.addrs\s.*127\.0\.0\.1:6379.*default`} {
		assert.Regexp(t, want, shown.Stdout)
	}
}
