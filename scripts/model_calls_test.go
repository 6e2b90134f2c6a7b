package scripts

import (
	"fmt"
	"slices"

	"flashsale/sale"
)

// catalogue is the sale's items, by the lines that orders have of them. The numbers begin with each other in base 36 and in
// decimal. The last item is not loaded: a page of the outbox begins it.
var catalogue = []sale.Line{
	{SKU: "phone", Number: 1, UnitPriceCents: 129_900}, {SKU: "case", Number: 2}, {SKU: "cable", Number: 11, UnitPriceCents: 5},
	{SKU: "plug", Number: 37, UnitPriceCents: sale.MaxPriceCents}, {SKU: "late", Number: 1300, UnitPriceCents: 1},
}

// lines are lines of the catalogue by SKU and quantity, in pairs.
func lines(pairs ...any) (found []sale.Line) {
	for i := 0; i < len(pairs); i += 2 {
		at := slices.IndexFunc(catalogue, func(item sale.Line) bool { return item.SKU == pairs[i] })
		line := catalogue[at]
		line.Quantity = pairs[i+1].(int)
		found = append(found, line)
	}
	return found
}

// newCall makes a batch: usually a valid one, sometimes with another epoch, a sequence that does not exist yet or a deadline
// that has passed.
func (m *modelRun) newCall() ReserveCall {
	call := ReserveCall{
		Keys: m.keys, Head: m.model.head, Epoch: m.model.epoch, Highest: m.random.Int64N(m.model.seq + 1),
		DeadlineMS: farDeadline, MaxJournal: 100_000, Trims: m.someTrims(), AskedAgain: m.one(50),
	}
	if m.one(3) {
		call.Grief = sale.Grief{Unpaid: 1 + m.random.IntN(4), WindowS: []int64{1, 2, 5, 3600}[m.random.IntN(4)]}
	}
	if m.one(60) {
		call.Epoch += int64(m.random.IntN(3)) - 1
	}
	if m.one(60) {
		call.Highest = m.model.seq + 1
	}
	if m.one(60) {
		call.DeadlineMS = 1
	}
	if m.one(10) {
		call.MaxJournal = m.random.IntN(20)
	}
	n := m.random.IntN(10)
	if m.one(50) {
		n = 100 + m.random.IntN(156)
	}
	buyers := 1 + m.random.IntN(300)
	if m.one(3) || m.mostlyReleases && m.one(2) {
		buyers = 1 + m.random.IntN(3)
	}
	quantities := 1
	if m.one(2) {
		quantities = 4
	}
	for range n {
		p := m.purchase(buyers, quantities)
		call.Purchases = append(call.Purchases, &p)
		m.nextID += 1 + sale.OrderID(m.random.IntN(1<<20))
		call.OrderIDs = append(call.OrderIDs, m.nextID)
	}
	return call
}

func (m *modelRun) purchase(buyers, quantities int) sale.Purchase {
	keys := []string{"", "", "", "k", "k,k", "a key, with , and  spaces", "R 1 2", "0,0,0,0", "1,", "~!#%^&*()_+{}|:<>?"}
	lines := 1
	if m.one(3) {
		lines = 1 + m.random.IntN(4)
	}
	p := sale.Purchase{
		Bucket: m.bucket, Buyer: fmt.Sprintf("buyer-%d@|+.:_", m.random.IntN(buyers)), Key: keys[m.random.IntN(len(keys))],
	}
	for _, item := range m.random.Perm(len(catalogue))[:lines] {
		line := catalogue[item]
		if m.model.shelves[line.SKU] == nil && !m.one(300) {
			line = catalogue[0]
		}
		if slices.ContainsFunc(p.Lines, func(l sale.Line) bool { return l.SKU == line.SKU }) {
			continue
		}
		line.Quantity = 1 + m.random.IntN(quantities)
		p.Lines = append(p.Lines, line)
	}
	return p
}

// someTrims picks entries of the journal, and entries that never existed.
func (m *modelRun) someTrims() []Trim {
	var trims []Trim
	for range m.random.IntN(4) {
		if n := len(m.model.journal); n > 0 && !m.one(10) {
			entry := m.model.journal[m.random.IntN(n)]
			trims = append(trims, Trim{EntryID: entry.id(), Orders: entry.orders})
		} else {
			trims = append(trims, Trim{EntryID: EntryID(m.model.epoch, m.random.Int64N(9)+1, m.nextID), Orders: 2})
		}
	}
	return trims
}
