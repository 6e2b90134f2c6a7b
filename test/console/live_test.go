package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// beat is how often the streams send: faster than the engine, so that tests wait less.
const beat = 200 * time.Millisecond

func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// follow sends an event at once, at each beat and at each change, until the stream is cut.
func (e *engine) follow(w http.ResponseWriter, r *http.Request, first func(send sender), next func(send sender)) {
	e.mu.Lock()
	away, cut := e.away, e.cut
	e.mu.Unlock()
	if away {
		refuse(w, 503, "overloaded", nil)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	send := func(event string, value any) {
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, marshal(value))
		http.NewResponseController(w).Flush()
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	e.mu.Lock()
	first(send)
	e.mu.Unlock()
	for {
		e.mu.Lock()
		next(send)
		wake := e.wake
		e.mu.Unlock()
		select {
		case <-wake:
		case <-tick.C:
		case <-cut:
			return
		case <-r.Context().Done():
			return
		}
	}
}

type sender func(event string, value any)

func wantsEvents(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

func (e *engine) listLive(w http.ResponseWriter, r *http.Request, _ object) {
	if !wantsEvents(r) {
		e.mu.Lock()
		defer e.mu.Unlock()
		answer(w, e.list())
		return
	}
	e.follow(w, r, func(sender) {}, func(send sender) { send("sales", e.list()) })
}

func (e *engine) list() object {
	rows := []object{}
	for _, s := range e.sales {
		total := s.total()
		refused := 0.0
		for _, n := range s.Refused {
			refused += n
		}
		rows = append(rows, object{
			"id": s.ID, "name": s.Name, "state": s.State, "starts_at": stamp(s.Starts), "ends_at": stamp(s.Ends),
			"holds_frozen_since": s.frozenSince(), "loaded": total.Loaded, "sold": total.Settled - total.Released,
			"available": total.Available, "presses_per_s": s.Presses, "refused_per_s": refused, "orders_per_s": total.PerSecond,
		})
	}
	return object{"at": stamp(time.Now()), "sales": rows, "processes": e.processes(), "stores": e.stores()}
}

func (s *saleState) total() *item {
	sum := &item{}
	for _, one := range s.Items {
		sum.Loaded += one.Loaded
		sum.Available += one.Available
		sum.InFlight += one.InFlight
		sum.Settled += one.Settled
		sum.Released += one.Released
		sum.Paid += one.Paid
		sum.PerSecond += one.PerSecond
	}
	return sum
}

func (e *engine) processes() []object {
	return []object{
		{"name": "gateway-7f3a", "role": "gateway", "version": "1.0.0", "seen_ms_ago": 340, "ready": true, "waiting": object{}},
		{"name": "gateway-b210", "role": "gateway", "version": "1.0.0", "seen_ms_ago": 610, "ready": true, "waiting": object{}},
		{"name": "settle-19cc", "role": "settle", "version": "1.0.0", "seen_ms_ago": 80, "ready": true, "waiting": object{}},
	}
}

func (e *engine) stores() []object {
	rows := []object{}
	for _, store := range []string{"redis", "kafka", "mysql"} {
		rows = append(rows, object{"store": store, "up": e.down[store] == "", "detail": e.down[store]})
	}
	return rows
}

func (e *engine) saleLive(w http.ResponseWriter, r *http.Request, _ object) {
	e.mu.Lock()
	s := e.saleOf(w, r)
	e.mu.Unlock()
	if s == nil {
		return
	}
	view := r.URL.Query()
	if !wantsEvents(r) {
		e.mu.Lock()
		defer e.mu.Unlock()
		answer(w, e.live(s, view.Get("q"), view.Get("sort"), view.Get("from"), view.Get("limit")))
		return
	}
	told := 0
	e.follow(w, r, func(send sender) { send("history", history(s)) }, func(send sender) {
		send("live", e.live(s, view.Get("q"), view.Get("sort"), view.Get("from"), view.Get("limit")))
		for ; told < len(e.trail); told++ {
			if strings.HasPrefix(e.trail[told]["target"].(string), "sale/"+s.ID) {
				send("trail", e.trail[told])
			}
		}
	})
}

// live is the event `live` of a sale.
func (e *engine) live(s *saleState, q, sort, from, limit string) object {
	now := time.Now()
	total := s.total().show()
	total["conserved"] = true
	matched := []*item{}
	for _, one := range s.Items {
		total["conserved"] = total["conserved"].(bool) && one.show()["conserved"].(bool)
		if strings.Contains(strings.ToLower(one.SKU+"\n"+one.Name), strings.ToLower(q)) {
			matched = append(matched, one)
		}
	}
	slices.SortStableFunc(matched, func(a, b *item) int {
		switch sort {
		case "available":
			return cmp.Compare(b.Available, a.Available)
		case "sold":
			return cmp.Compare(b.Settled-b.Released, a.Settled-a.Released)
		case "orders":
			return cmp.Compare(b.PerSecond, a.PerSecond)
		}
		return 0
	})
	first, _ := strconv.Atoi(cmp.Or(from, "0"))
	most, _ := strconv.Atoi(cmp.Or(limit, "20"))
	rows := []object{}
	for _, one := range matched[min(first, len(matched)):min(first+most, len(matched))] {
		rows = append(rows, one.show())
	}
	for _, one := range append([]object{total}, rows...) {
		for _, name := range []string{"available", "in_flight", "settled", "released", "paid", "unpaid", "conserved"} {
			if e.blind {
				one[name] = nil
			}
		}
	}
	phase := map[string]string{"open": "open"}[s.State]
	if phase = cmp.Or(phase, s.State); s.State == "open" && now.Before(s.Starts) {
		phase = "upcoming"
	} else if s.State == "open" && now.After(s.Ends) {
		phase = "ended"
	}
	return object{
		"at": stamp(now), "phase": phase,
		"starts_in_ms": s.Starts.Sub(now).Milliseconds(), "ends_in_ms": s.Ends.Sub(now).Milliseconds(),
		"sale": object{"id": s.ID, "name": s.Name, "state": s.State, "reason": s.Reason, "starts_at": stamp(s.Starts),
			"ends_at": stamp(s.Ends), "currency": "CNY", "payment_ttl_s": 900, "buckets": 4,
			"holds_frozen_since": s.frozenSince()},
		"total": total,
		"items": object{"total": len(s.Items), "matched": len(matched), "from": first, "rows": rows},
		"rates": object{"presses_per_s": s.Presses, "orders_per_s": s.total().PerSecond, "refused_per_s": s.Refused,
			"p50_ms": 1.9, "p99_ms": 14.2, "settle_lag_records": 3, "oldest_held_s": 0, "events_waiting": 18, "rows_per_s": 12},
		"processes": e.processes(), "stores": e.stores(), "brake": e.brake,
	}
}

// history is the event `history`: 15 minutes in which a rush came and went.
func history(s *saleState) object {
	const steps = 180
	series := func(shape func(at float64) float64) []any {
		values := make([]any, steps)
		for i := range values {
			if i >= 20 { // nothing is known of the first 100 s
				values[i] = math.Round(100*math.Max(0, shape(float64(i))+math.Sin(float64(i*i))*shape(float64(i))/25)) / 100
			}
		}
		return values
	}
	rush := func(at float64) float64 { return math.Exp(-math.Pow((at-78)/16, 2)) }
	tail := func(at float64) float64 { return math.Exp(-math.Max(0, at-72)/60) / (1 + math.Exp((72-at)/1.5)) }
	refused := object{}
	for reason, n := range s.Refused {
		refused[reason] = series(func(at float64) float64 { return n * (tail(at)*9 + 1) / 2 })
	}
	return object{
		"step_s": 5, "from": stamp(time.Now().Add(-steps * 5 * time.Second)), "sale": s.ID,
		"presses": series(func(at float64) float64 { return s.Presses * (rush(at)*14 + tail(at)*4 + 1) }),
		"orders":  series(func(at float64) float64 { return s.total().PerSecond * (rush(at)*11 + 1) }),
		"refused": refused,
		"p50_ms":  series(func(at float64) float64 { return 1.6 + 3*rush(at) }),
		"p99_ms":  series(func(at float64) float64 { return 9 + 44*rush(at) }),

		"settle_lag_records": series(func(at float64) float64 { return 4 + 390*rush(at-5) }),
		"oldest_held_s":      series(func(at float64) float64 { return 1.4 * rush(at-3) }),
		"events_waiting":     series(func(at float64) float64 { return 20 + 5200*rush(at-9) }),
	}
}
