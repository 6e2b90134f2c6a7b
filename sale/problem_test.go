package sale

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestProblemsInTheirExactForm(t *testing.T) {
	p := ProblemOf(OutcomeNotStarted, "It starts at ten.",
		Member{"starts_at", Time{tenOClock}}, Member{"server_time", TimeMillis(tenOClock.UnixMilli() - 1)})
	assert.Equal(t, `{"type":"/problems/not_started","title":"The sale has not started","status":409,"code":"not_started",`+
		`"detail":"It starts at ten.","starts_at":"2026-11-11T10:00:00.000Z","server_time":"2026-11-11T09:59:59.999Z"}`,
		string(p.Append(nil)))
	assert.Equal(t, "409 not_started: It starts at ten.", p.Error())
	assert.Equal(t,
		`{"type":"/problems/already_bought","title":"The buyer's limit is used up","status":409,"code":"already_bought",`+
			`"detail":"The buyer's limit is used up","limit":1,"bought":1,"order_id":"77"}`,
		string(ProblemOf(OutcomeAlreadyBought, "", Member{"limit", 1}, Member{"bought", 1},
			Member{"order_id", OrderID(77)}).Append(nil)))
}

func TestProblemsAreAppended(t *testing.T) {
	got := ProblemOf(OutcomeSoldOut, "").Append([]byte("before"))
	assert.Equal(t, "before{", string(got[:7]))
}

// For any text in a detail or a member, the answer is JSON with that text.
func TestProblemsAreAlwaysJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		outcome := rapid.SampledFrom(Outcomes()).Draw(t, "outcome")
		detail, field := rapid.String().Draw(t, "detail"), rapid.String().Draw(t, "field")
		var got map[string]any
		require.NoError(t, json.Unmarshal(ProblemOf(outcome, detail, Member{"field", field}).Append(nil), &got))
		row := outcome.Row()
		if detail == "" {
			detail = row.Title
		}
		require.Equal(t, map[string]any{
			"type": "/problems/" + row.Code, "title": row.Title, "status": float64(row.Status), "code": row.Code,
			"detail": detail, "field": field,
		}, got)
	})
}

func TestTextThatIsNotUTF8IsReplaced(t *testing.T) {
	assert.True(t, json.Valid(ProblemOf(OutcomeMalformed, "bad \xff byte").Append(nil)))
}

func TestMembersThatAreNoJSONPanic(t *testing.T) {
	assert.Panics(t, func() { ProblemOf(OutcomeMalformed, "", Member{"f", func() {}}).Append(nil) })
}

func TestEveryOutcomeMakesAProblemOfItsRow(t *testing.T) {
	for _, o := range Outcomes() {
		p := ProblemOf(o, "detail")
		assert.Equal(t, o.Row().Status, p.Status)
		assert.Equal(t, o.Row().Code, p.Code)
		assert.Equal(t, o.Row().Title, p.Title)
	}
}
