package terminal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) sale.Time { return sale.Time{Time: noon.Add(d)} }

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999 * time.Millisecond: "0s", 12 * time.Second: "12s", time.Minute: "1m", 250 * time.Second: "4m 10s",
		2 * time.Hour: "2h", 2*time.Hour + 59*time.Second: "2h", 125 * time.Minute: "2h 5m", 76*time.Hour + time.Minute: "3d 4h",
		400 * day: "400d", -90 * time.Second: "1m 30s",
	} {
		require.Equal(t, want, Span(d), d)
	}
}

func TestStateInWindow(t *testing.T) {
	for _, of := range []struct {
		state        sale.State
		starts, ends time.Duration
		want         string
	}{
		{sale.StateOpen, 2 * time.Hour, 3 * time.Hour, "open, starts in 2h"},
		{sale.StateOpen, 0, time.Minute, "open, ends in 1m"},
		{sale.StateOpen, -time.Hour, 0, "open, ended"},
		{sale.StateDraft, 76 * time.Hour, 77 * time.Hour, "draft, starts in 3d 4h"},
		{sale.StatePaused, -time.Hour, time.Second, "paused, ends in 1s"},
		{sale.StateClosed, time.Hour, 2 * time.Hour, "closed"},
		{sale.StateArchived, -time.Hour, -time.Minute, "archived"},
	} {
		require.Equal(t, of.want, stateInWindow(of.state, at(of.starts), at(of.ends), noon))
	}
	require.Equal(t, "open", stateInWindow(sale.StateOpen, sale.Time{}, sale.Time{}, noon), "an answer without times")
}

// The lines of changes, from the answers of the API as they are.
func TestLines(t *testing.T) {
	const opened = `{"sale":"double-11","state":"open","starts_at":"2026-11-14T16:00:00.000Z",
		"ends_at":"2026-11-15T00:00:00.000Z",
		"items":[{"sku":"a","stock":4},{"sku":"b","stock":3}]`
	now := func(line func([]byte, time.Time) (string, error)) func([]byte) (string, error) {
		return func(answer []byte) (string, error) { return line(answer, noon) }
	}
	of := func(line func(string, []byte) (string, error)) func([]byte) (string, error) {
		return func(answer []byte) (string, error) { return line("rush", answer) }
	}
	for _, c := range []struct {
		line         func([]byte) (string, error)
		answer, want string
	}{
		{now(SaleLine), opened + `}`, "sale double-11: open (starts in 3d 4h)"},
		{now(SaleLine), opened + `,"holds_frozen_since":"2026-11-11T11:48:00.000Z"}`,
			"sale double-11: open (starts in 3d 4h, holds frozen for 12m)"},
		{now(SaleLine), `{"sale":"s","state":"closed","ends_at":"2026-11-15T00:00:00.000Z"}`, "sale s: closed"},
		{now(CreatedLine), opened + `}`, "sale double-11: open (starts in 3d 4h), 7 units of 2 SKUs"},
		{now(CreatedLine), `{"sale":"s","state":"draft","items":[{"sku":"a","stock":1}]}`, "sale s: draft, 1 unit of 1 SKU"},
		{of(BuyersLine), `{"buyers":1}`, "sale rush: the list has 1 buyer"},
		{of(BuyersLine), `{"buyers":20000}`, "sale rush: the list has 20000 buyers"},
		{of(StockLine), `{"sku":"a","added":50,"loaded":60}`, "sale rush: a: 50 units added, 60 loaded"},
		{of(StockLine), `{"sku":"a","added":-1,"loaded":59}`, "sale rush: a: 1 unit taken back, 59 loaded"},
		{ArchivedLine, `{"sale":"s","deleted":true}`, "sale s: deleted, it was a draft"},
		{ArchivedLine, `{"sale":"s","state":"archived","books":[{"sku":"a","loaded":5,"settled":4,"released":1,"sold":3},
			{"sku":"b","loaded":1,"sold":1}]}`, "sale s: archived, 4 of 6 units sold"},
	} {
		got, err := c.line([]byte(c.answer))
		require.NoError(t, err, c.answer)
		require.Equal(t, c.want, got)
		_, err = c.line([]byte(`<html>`))
		require.ErrorContains(t, err, "in the answer of the operators' API", c.want)
	}
}

// A name of a sale is what an operator wrote; a terminal must not obey it.
func TestPlain(t *testing.T) {
	require.Equal(t, "?[2J双十一?? ??ok", Plain("\x1b[2J双十一\n\t \u202e\x7fok"))
	require.Equal(t, "?", Plain("\xff"))
}
