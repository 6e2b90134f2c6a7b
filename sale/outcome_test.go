package sale

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Buyers' apps rely on the order, the code and the status of every outcome.
func TestTheOutcomeTable(t *testing.T) {
	ladder := []struct {
		code       string
		status     int
		retryAfter bool
	}{
		{"malformed", 400, false}, {"body_too_large", 413, false}, {"headers_too_large", 431, false},
		{"not_found", 404, false}, {"method_not_allowed", 405, false},
		{"sale_not_found", 404, false}, {"sku_not_found", 404, false},
		{"not_started", 409, true}, {"sale_ended", 410, false}, {"paused", 503, true}, {"fenced", 503, true},
		{"sold_out", 409, false}, {"unauthenticated", 401, false}, {"not_eligible", 403, false}, {"rate_limited", 429, true},
		{"overloaded", 503, true}, {"unavailable", 503, true},
		{"replayed", 200, false}, {"idempotency_key_reused", 422, false}, {"over_limit", 409, false},
		{"already_bought", 409, false},
		{"too_many_cancellations", 409, false}, {"not_enough", 409, false}, {"queued", 202, false}, {"held", 202, false},
		{"unknown", 504, true},
	}
	assert.Len(t, Outcomes(), len(ladder))
	for i, o := range Outcomes() {
		row := o.Row()
		assert.Equal(t, ladder[i].code, o.String())
		assert.Equal(t, ladder[i].code, row.Code)
		assert.Equal(t, ladder[i].status, row.Status, row.Code)
		assert.Equal(t, ladder[i].retryAfter, row.RetryAfter, row.Code)
	}
}

func TestEveryOutcomeHasAWholeRow(t *testing.T) {
	code := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]Outcome{}
	for _, o := range Outcomes() {
		row := o.Row()
		assert.Regexp(t, code, row.Code, "outcome %d", o)
		earlier, doubled := seen[row.Code]
		assert.False(t, doubled, "%s is outcome %d and %d", row.Code, earlier, o)
		seen[row.Code] = o
		assert.NotEmpty(t, http.StatusText(row.Status), row.Code)
		assert.Equal(t, row.Status < 400, row.Title == "", "%s: an order has no title, a problem has one", row.Code)
		if row.Status == 503 || row.Status == 429 || row.Status == 504 {
			assert.True(t, row.RetryAfter, "%s is worth repeating", row.Code)
		}
	}
}

func TestOutcomesOutsideTheTablePanic(t *testing.T) {
	assert.Panics(t, func() { _ = outcomeCount.Row() })
	assert.Panics(t, func() { _ = Outcome(255).String() })
}

func TestOutcomesAreACopy(t *testing.T) {
	Outcomes()[0] = OutcomeHeld
	assert.Equal(t, OutcomeMalformed, Outcomes()[0])
}
