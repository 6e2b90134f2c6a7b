package e2e

import (
	"bufio"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// metrics reads /metrics as a map from "name{labels}" to the value.
func (s *stack) metrics(address string) map[string]float64 {
	s.t.Helper()
	answer := s.request("GET", "http://"+address+"/metrics", nil)
	require.Equal(s.t, http.StatusOK, answer.status)
	values := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(answer.body))
	for lines.Scan() {
		name, number, is := cutLast(lines.Text())
		if value, err := strconv.ParseFloat(number, 64); is && err == nil {
			values[name] = value
		}
	}
	return values
}

func cutLast(line string) (before, after string, found bool) {
	at := strings.LastIndexByte(line, ' ')
	if at < 0 || strings.HasPrefix(line, "#") {
		return "", "", false
	}
	return line[:at], line[at+1:], true
}

// checkMetrics compares the counters of the gateways with the crowd's answers, and requires every metric name of the
// contract.
func checkMetrics(s *stack, c *crowd) {
	s.t.Helper()
	counted := map[string]float64{}
	for _, g := range s.Gateways {
		values := s.metrics(g.Operators)
		for _, outcome := range sale.Outcomes() {
			for _, of := range []string{"rush", "other"} {
				name := `flashsale_purchases_total{outcome="` + outcome.String() + `",sale="` + of + `"}`
				value, there := values[name]
				assert.True(s.t, there, "%s is not there from the start", name)
				counted[outcome.String()] += value
			}
		}
		assertNamed(s, values, "flashsale_build_info", "flashsale_http_request_duration_seconds_count",
			"flashsale_batch_orders_count")
	}
	answers := map[string]float64{}
	ops := c.purchases()
	for i := range ops {
		code := ops[i].Word()
		if ops[i].Status == http.StatusOK {
			code = sale.OutcomeReplayed.String()
		}
		answers[code]++
	}
	for code, n := range answers {
		assert.Equal(s.t, n, counted[code], "answers %s and their metric", code)
	}
	checkSettleMetrics(s)
}

func checkSettleMetrics(s *stack) {
	s.t.Helper()
	const unit = `flashsale_stock_units{sale="rush",sku="phone",state="settled"}`
	var leaders []map[string]float64
	var rows float64
	require.Eventually(s.t, func() bool { // the control role reads the stock about once a second
		rows, leaders = 0, nil
		for _, w := range s.Settles {
			values := s.metrics(w.Listen)
			rows += values["flashsale_settle_rows_total"]
			if _, leads := values[unit]; leads {
				leaders = append(leaders, values)
			}
		}
		return len(leaders) == 1 && leaders[0][unit] == rushUnits
	}, 20*time.Second, 50*time.Millisecond, "the stock is reported by the control role, and by it alone")
	assert.EqualValues(s.t, rushUnits, rows, "rows settled by both processes")
	assertNamed(s, leaders[0], "flashsale_build_info", "flashsale_settle_lag_records", "flashsale_dead_letters_total",
		"flashsale_conservation_error_units", "flashsale_epoch", "flashsale_journal_oldest_age_seconds")
	assert.Zero(s.t, leaders[0][`flashsale_conservation_error_units{sale="rush",sku="phone"}`])
}

func assertNamed(s *stack, values map[string]float64, names ...string) {
	s.t.Helper()
	for _, want := range names {
		found := false
		for name := range values {
			found = found || name == want || strings.HasPrefix(name, want+"{")
		}
		assert.True(s.t, found, "metric %s is missing", want)
	}
}
