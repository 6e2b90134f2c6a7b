package check

import (
	"maps"
	"slices"

	"flashsale/test/buyers/history"
)

// later lists the statuses that an order may have after each status.
var later = map[string][]string{
	"held":      {"held", "queued", "confirmed", "paid", "cancelled", "expired", "refused"},
	"queued":    {"queued", "confirmed", "paid", "cancelled", "expired", "refused"},
	"confirmed": {"confirmed", "extended", "paid", "cancelled", "expired"},
	"extended":  {"extended", "paid", "cancelled", "expired"}, // of events alone
	"paid":      {"paid"},
	"cancelled": {"cancelled"},
	"expired":   {"expired"},
	"refused":   {"refused"},
}

// sighting is one status of an order that an answer showed.
type sighting struct {
	status       string
	invoke, back int64
	by           int // operation
}

// checkStatus: a question that is asked after an answer never shows an earlier status than it, and the row has the last one.
func checkStatus(e *Evidence, r *report) {
	seen := map[string][]sighting{}
	for i := range e.Ops {
		op := &e.Ops[i]
		for _, o := range op.Orders {
			seen[o.Order] = append(seen[o.Order], sighting{o.Status, op.Invoke, op.Return, op.N})
		}
		if op.NamedIs != "" {
			named := op.Named
			if named == "" {
				named = op.Question.Order
			}
			seen[named] = append(seen[named], sighting{op.NamedIs, op.Invoke, op.Return, op.N})
		}
	}
	rows := e.rowsByID()
	for id, list := range seen {
		r.count("sightings", len(list))
		if row := rows[id]; row != nil {
			end := int64(1 << 62)
			list = append(list, sighting{row.Status, end, end, -1})
		}
		checkSightings(id, list, r)
	}
}

func checkSightings(id string, list []sighting, r *report) {
	slices.SortFunc(list, func(a, b sighting) int { return int(min(max(a.invoke-b.invoke, -1), 1)) })
	for i, b := range list {
		for _, a := range list[:i] {
			if a.back >= b.invoke || slices.Contains(later[a.status], b.status) {
				continue
			}
			// Every gateway but the one that published the order answers held until the entry has left the journal.
			if a.status == "queued" && b.status == "held" {
				r.count("answered held after queued", 1)
			} else {
				r.fault("order %s was %s (operation %d), afterwards %s (operation %d; -1 is the row)", id, a.status, a.by,
					b.status, b.by)
			}
		}
	}
}

// checkEndings: every cancel and payment that was answered with success is in the rows, and a row is paid by the payment
// that got this answer and no other.
func checkEndings(e *Evidence, r *report) {
	rows := e.rowsByID()
	for i := range e.Ops {
		op := &e.Ops[i]
		if op.End != history.OK {
			continue
		}
		row := rows[op.Question.Order]
		switch op.Verb {
		case history.Cancel, history.ShopCancel:
			r.count("cancels", 1)
			if row == nil || row.Status != "cancelled" {
				r.fault("order %s was answered cancelled (operation %d) and is %+v", op.Question.Order, op.N, row)
			}
		case history.Pay:
			r.count("payments", 1)
			if row == nil || row.Status != "paid" || row.Payment != op.Payment {
				r.fault("order %s was answered paid by %s (operation %d) and is %+v", op.Question.Order, op.Payment, op.N, row)
			}
		}
	}
}

// checkPaid: the units and orders that are counted as paid are those of the paid rows, of every SKU.
func checkPaid(e *Evidence, r *report) {
	if e.Paid == nil {
		return
	}
	rows, counted := map[item][2]int64{}, map[item][2]int64{}
	for i := range e.Rows {
		row := &e.Rows[i]
		if row.Status != "paid" {
			continue
		}
		for _, line := range row.Lines {
			sum := rows[item{row.Sale, line.SKU}]
			rows[item{row.Sale, line.SKU}] = [2]int64{sum[0] + int64(line.Quantity), sum[1] + 1}
		}
	}
	for _, p := range e.Paid {
		counted[item{p.Sale, p.SKU}] = [2]int64{p.Units, p.Orders}
		r.count("units paid", int(p.Units))
	}
	both := maps.Clone(rows)
	maps.Copy(both, counted)
	for of := range both {
		if counted[of] != rows[of] {
			r.fault("%s/%s: %d units of %d orders are counted as paid, by the rows %d of %d", of.sale, of.sku, counted[of][0],
				counted[of][1], rows[of][0], rows[of][1])
		}
	}
}

// checkEvents: every status that a row went through was announced, in order, under a stable id, and no other.
func checkEvents(e *Evidence, r *report) {
	if e.Unread {
		return
	}
	rows := e.rowsByID()
	data := map[string]string{}
	last := map[string]string{} // the newest status announced for the first time, by order
	for _, event := range e.Events {
		row := rows[event.Order]
		if row == nil {
			continue // of another sale than the evidence's
		}
		_, extension := extendedTo(&event)
		if event.ID != event.Order+":"+event.Status && !extension {
			r.fault("event %s announces order %s as %s", event.ID, event.Order, event.Status)
		}
		before, repeated := data[event.ID]
		switch {
		case repeated && before != event.Data:
			r.fault("event %s has two contents: %s and %s", event.ID, before, event.Data)
		case repeated:
			r.count("events repeated", 1)
			continue
		case last[event.Order] != "" && !slices.Contains(later[last[event.Order]], event.Status):
			r.fault("order %s was announced %s after %s", event.Order, event.Status, last[event.Order])
		}
		data[event.ID], last[event.Order] = event.Data, event.Status
	}
	r.count("events", len(data))
	for id, row := range rows {
		for _, status := range announced(row) {
			if _, there := data[id+":"+status]; !there {
				r.fault("order %s is %s, but %s was never announced", id, row.Status, status)
			}
		}
		if last[id] == "extended" {
			last[id] = "confirmed"
		}
		if last[id] != "" && last[id] != row.Status {
			r.fault("order %s is %s, its last event has %s", id, row.Status, last[id])
		}
	}
}

func announced(row *Row) []string {
	if row.Status == "confirmed" || row.Status == "refused" {
		return []string{row.Status}
	}
	return []string{"confirmed", row.Status}
}
