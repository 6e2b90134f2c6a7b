package terminal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// listOf is a screen with the list of three sales, read at noon.
func listOf(t *testing.T) *screen {
	t.Helper()
	s := &screen{style: style{on: true}, width: 120, height: 30}
	s.show("")
	event, known := eventOf("sales", []byte(`{"at":"2026-11-11T12:00:00.000Z","sales":[
		{"id":"a","name":"Alpha","state":"open","starts_at":"2026-11-11T11:00:00.000Z","ends_at":"2026-11-11T12:01:30.000Z",
		 "loaded":10,"sold":4,"unpaid":1,"available":5,"presses_per_s":12.34,"refused_per_s":1500.4,"orders_per_s":0},
		{"id":"b","name":"双十一","state":"paused","starts_at":"2026-11-11T11:00:00.000Z","ends_at":"2026-11-11T13:00:00.000Z",
		 "loaded":100,"sold":7,"unpaid":null,"available":null,"presses_per_s":null,"refused_per_s":null,"orders_per_s":null},
		{"id":"c","name":"Gamma","state":"draft","starts_at":"2026-11-12T12:00:00.000Z","ends_at":"2026-11-12T13:00:00.000Z",
		 "loaded":0,"sold":0,"unpaid":0,"available":null,"presses_per_s":90,"refused_per_s":0,"orders_per_s":3.25}],
		"processes":[{"name":"g1","role":"gateway","seen_ms_ago":100,"ready":true},
		 {"name":"g2","role":"gateway","seen_ms_ago":200,"ready":false,"waiting":{"redis":"not reached","kafka":"no leader"}},
		 {"name":"s1","role":"settle","seen_ms_ago":7000,"ready":true}],
		"stores":[{"store":"redis","up":false,"detail":"connection refused"},{"store":"mysql","up":true}]}`))
	require.True(t, known)
	s.apply(event, noon)
	return s
}

const twoSKUs = `{"at":"2026-11-11T12:00:00.000Z","sale":{"id":"a","name":"Alpha","state":"open","reason":"",
	"starts_at":"2026-11-11T11:00:00.000Z","ends_at":"2026-11-11T12:01:30.000Z","holds_frozen_since":"2026-11-11T11:59:00.000Z"},
	"total":{"loaded":10,"available":4,"in_flight":1,"settled":6,"released":1,"paid":3,"unpaid":2,"conserved":true},
	"rates":{"presses_per_s":200,"orders_per_s":40,"refused_per_s":{"sold_out":150,"rate_limited":9.5,"paused":0.5},
	 "p50_ms":1.5,"p99_ms":9.25,"settle_lag_records":3,"oldest_held_s":null,"events_waiting":0,"rows_per_s":41},
	"items":{"total":3,"matched":2,"from":0,"rows":[
	 {"sku":"phone","name":"Phone","loaded":7,"available":4,"in_flight":1,"settled":3,"released":1,"paid":1,"unpaid":1,
	  "orders_per_s":2.5,"sold_out_in_s":130},
	 {"sku":"case","name":"Case","loaded":3,"available":0,"in_flight":0,"settled":3,"released":0,"paid":2,"unpaid":1,
	  "orders_per_s":0,"sold_out_in_s":0}]},
	"brake":{"since":"2026-11-11T11:59:00.000Z","reason":"rows lag","per_second":700}}`

func saleOf(t *testing.T) *screen {
	t.Helper()
	s := &screen{style: style{on: true}, width: 200, height: 30}
	s.show("a")
	live, known := eventOf("live", []byte(twoSKUs))
	require.True(t, known)
	s.apply(live, noon)
	return s
}

// text is a frame without styles and without the spaces at the ends of lines.
func text(s *screen, now time.Time) string {
	return strings.Join(lines(strings.Split(ansi.Strip(strings.Join(s.frame(now), "\n")), "\n")), "\n")
}

func TestFrameOfTheList(t *testing.T) {
	s := listOf(t)
	s.height, s.width = 0, 0
	s.style = style{}
	require.Equal(t, `flashsale   3 sales   12:00:01Z
gateway 1 of 2 ready   settle 0 of 1 ready   redis AWAY   database up
gateway g2 waits for kafka, redis
settle s1 silent for 7s
redis: connection refused

SALE  STATE                     LOADED  SOLD  UNPAID  AVAILABLE  PRESSES/S  ORDERS/S  REFUSED/S  HOLDS  NAME
a     open, ends in 1m 29s          10     4       1          5         12         0       1500         Alpha
b     paused, ends in 59m 59s      100     7       -          -          -         -          -         双十一
c     draft, starts in 23h 59m       0     0       0          -         90       3.2          0         Gamma`,
		text(s, noon.Add(time.Second)))
}

func TestFrameOfASale(t *testing.T) {
	s := saleOf(t)
	s.height, s.width = 0, 0
	s.apply(sale.TrailEntry{ID: 1, At: at(-time.Minute), Who: "ann", Verb: "pause", Target: "sale/a", Outcome: "done"}, noon)
	refused := sale.TrailEntry{ID: 2, At: at(-time.Second), Who: "bob", Verb: "close", Target: "s/\x1b", Outcome: "wrong_state"}
	s.apply(refused, noon)
	s.apply(sale.TrailEntry{ID: 2, At: at(-time.Second), Who: "bob"}, noon) // a new stream repeats it
	require.Equal(t, `a  Alpha   open, ends in 1m 30s   12:00:00Z
loaded 10   available 4   in flight 1   sold 5   paid 3   unpaid 2   released 1   books hold
presses/s 200   orders/s 40   refused/s 160: sold_out 150, rate_limited 9.5, paused 0.5
p50 1.5 ms   p99 9.2 ms   settle lag 3 records   oldest held -   events waiting 0   rows/s 41
holds frozen for 1m: no unpaid order expires
brake: 700 purchases a second since 2026-11-11T11:59:00.000Z: rows lag
11:59:00Z  ann  pause  sale/a
11:59:59Z  bob  close  s/?  wrong_state

SKU (2 of 3)  LOADED  AVAILABLE  IN FLIGHT  SOLD  PAID  UNPAID  RELEASED  UNITS/S  SOLD OUT IN  NAME
phone              7          4          1     2     1       1         1      2.5       2m 10s  Phone
case               3          0          0     3     2       1         0        0           0s  Case
q quit  ↑↓ jk choose  esc back  / search  s sort: sku`, text(s, noon))
}

// A screen that gets nothing says how old its numbers are and why, and forgets that with the next numbers.
func TestOldNumbersSaySo(t *testing.T) {
	s := saleOf(t)
	require.NotContains(t, text(s, noon.Add(2900*time.Millisecond)), "s old")
	require.Contains(t, text(s, noon.Add(3*time.Second)), "12:00:03Z  3s old")
	s.apply(lost{errors.New("send a request to http://127.0.0.1:1: refused")}, noon.Add(time.Second))
	require.Contains(t, text(s, noon.Add(75*time.Second)),
		"numbers are 1m 15s old: send a request to http://127.0.0.1:1: refused; trying again")
	s.apply(*s.live, noon.Add(80*time.Second))
	require.NotContains(t, text(s, noon.Add(80*time.Second)), "s old")
	s.apply(problem{Detail: "the request to Redis failed"}, noon.Add(81*time.Second))
	s.apply(*s.live, noon.Add(81*time.Second))
	require.Contains(t, text(s, noon.Add(82*time.Second)), "the request to Redis failed", "the stream goes on without it")
	require.NotContains(t, text(s, noon.Add(84*time.Second)), "the request to Redis failed")
	s.apply(lost{}, noon)
	require.Contains(t, text(s, noon), "the stream ended")
}

// However small the window, a frame fits into it and shows the chosen row.
func TestFramesFitTheWindow(t *testing.T) {
	many := LiveSales{At: sale.Time{Time: noon}}
	for i := range 40 {
		one := Summary{ID: fmt.Sprintf("sale-%03d", i), Name: strings.Repeat("双", 10), State: sale.StateOpen}
		many.Sales = append(many.Sales, one)
	}
	s := listOf(t)
	s.apply(many, noon)
	for _, size := range [][2]int{{80, 24}, {200, 60}, {20, 8}, {10, 4}, {1, 1}} {
		s.width, s.height = size[0], size[1]
		for range 45 {
			s.key("down", "")
			frame := s.frame(noon)
			require.LessOrEqual(t, len(frame), max(size[1], 2), size)
			for _, line := range frame {
				require.LessOrEqual(t, ansi.StringWidth(line), size[0])
			}
			if size[1] >= 8 {
				require.Contains(t, ansi.Strip(strings.Join(frame, "\n")), s.chosenID, size)
			}
		}
		require.Equal(t, "sale-039", s.chosenID)
		s.key("home", "")
		require.Equal(t, "sale-000", s.chosenID)
	}
}

func TestColours(t *testing.T) {
	frame := func(st style) string {
		s := listOf(t)
		s.style = st
		return strings.Join(s.frame(noon), "\n")
	}
	require.NotContains(t, frame(style{}), "\x1b", "no terminal")
	require.Contains(t, frame(style{on: true, colour: true}), "\x1b[1;31mredis AWAY\x1b[0m")
	require.NotRegexp(t, `\x1b\[[0-9;]*3[0-9]m`, frame(style{on: true}), "NO_COLOR")
	require.Contains(t, frame(style{on: true}), "\x1b[7ma ", "the chosen row is seen without colours too")
}

func TestEventsThatAreNotShown(t *testing.T) {
	_, known := eventOf("history", []byte(`{}`))
	require.False(t, known)
	broken, known := eventOf("live", []byte(`[]`))
	require.True(t, known)
	require.ErrorContains(t, broken.(lost).err, "read the numbers of the sale")
	failed, known := eventOf("problem", []byte(`{"detail":"","title":"Not now"}`))
	require.True(t, known)
	s := listOf(t)
	s.apply(failed, noon)
	require.Equal(t, "Not now", s.failing(noon))
}
