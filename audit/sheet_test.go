package audit

import (
	"cmp"
	"maps"
	"slices"

	"flashsale/sale"
)

// plainOrder is an order as one of the stores has it, in words.
type plainOrder struct {
	bucket int
	buyer  string
	lines  []line           // sorted by SKU
	status sale.OrderStatus // only of rows of the database
	key    string           // only of rows of the database
	gone   bool             // only of entries in Redis

	// Of rows of the database: what the row says of its lines.
	sku                    string
	quantity, total, count int64
}

// live reports whether the order owns units.
func (o plainOrder) live() bool {
	return o.status == sale.StatusConfirmed || o.status == sale.StatusPaid
}

// sheet is facts whose orders and records a test can write, change and read by id.
type sheet struct {
	*facts
	rows    map[sale.OrderID]plainOrder
	orders  map[sale.OrderID]plainOrder
	entries map[sale.OrderID]plainOrder
	markers map[writeID]sale.OrderID
	records map[writeID][]sale.OrderID
	forks   map[writeID][]sale.OrderID
}

func newSheet(saleID string) *sheet {
	return &sheet{
		facts: newFacts(saleID, newWords()), rows: map[sale.OrderID]plainOrder{}, orders: map[sale.OrderID]plainOrder{},
		entries: map[sale.OrderID]plainOrder{}, markers: map[writeID]sale.OrderID{}, records: map[writeID][]sale.OrderID{},
		forks: map[writeID][]sale.OrderID{},
	}
}

// read brings what the sheet says into the form that is judged, as a reading of the stores does: it files the orders in no order.
func (s *sheet) read() *facts {
	f := s.facts
	f.rows, f.orders, f.entries, f.markers, f.records, f.forks, f.buyers = nil, nil, nil, nil, nil, nil, nil
	for id, o := range s.rows {
		c := claim{o.sku, o.quantity, o.total, o.count}
		f.rows = append(f.rows, row{id: id, bucket: int32(o.bucket), buyer: f.words.numberOf(o.buyer),
			basket: f.words.basketOf(o.lines), claim: f.words.number(c.append(nil)), key: f.words.numberOf(o.key),
			status: f.words.numberOf(string(o.status))})
	}
	sortRows(f.rows)
	f.orders, f.entries = s.seen(s.orders), s.seen(s.entries)
	for i := range f.entries { // Redis has no prices
		f.entries[i].basket = f.baskets.unpriced(f.entries[i].basket)
	}
	for at, id := range s.markers {
		f.markers = append(f.markers, mark{at, id})
	}
	f.records, f.forks = marksOf(s.records), marksOf(s.forks)
	f.sort()
	return f
}

func marksOf(several map[writeID][]sale.OrderID) (all marks) {
	for at, ids := range several {
		for _, id := range ids {
			all = append(all, mark{at, id})
		}
	}
	return all
}

func (s *sheet) seen(orders map[sale.OrderID]plainOrder) (all []seen) {
	for id, o := range orders {
		all = append(all, seen{id: id, bucket: int64(o.bucket), buyer: s.words.numberOf(o.buyer),
			basket: s.words.basketOf(o.lines), gone: o.gone})
	}
	return all
}

// rowsOf returns the rows that were read.
func rowsOf(f *facts) map[sale.OrderID]plainOrder {
	all := map[sale.OrderID]plainOrder{}
	for _, r := range f.rows {
		c := f.words.claim(r.claim)
		all[r.id] = plainOrder{bucket: int(r.bucket), buyer: f.words.text(r.buyer), lines: f.words.lines(r.basket),
			status: sale.OrderStatus(f.words.text(r.status)), key: f.words.text(r.key), sku: c.sku, quantity: c.quantity,
			total: c.total, count: c.count}
	}
	return all
}

// ordersOf returns orders of records or of Redis that were read.
func ordersOf(w *words, orders []seen) map[sale.OrderID]plainOrder {
	all := map[sale.OrderID]plainOrder{}
	for _, o := range orders {
		all[o.id] = plainOrder{bucket: int(o.bucket), buyer: w.text(o.buyer), lines: w.lines(o.basket), gone: o.gone}
	}
	return all
}

// stock judges nothing and returns the terms of the stock equation.
func (s *sheet) stock() map[string]sale.Stock { return s.read().stock() }

// gaps counts the gaps of the sheet's markers.
func (s *sheet) gaps() int64 { return s.read().gaps() }

// plainRecord is a parsed record with its orders in words.
type plainRecord struct {
	sale   string
	at     writeID
	id     sale.OrderID
	orders map[sale.OrderID]plainOrder
	moved  map[string]int64
}

func plainRecordOf(w *words, r recorded) plainRecord {
	return plainRecord{r.sale, r.at, r.id, ordersOf(w, r.orders), r.moved}
}

// parseRecord parses a record of any sale.
func parseRecord(text string) (plainRecord, bool) {
	w := newWords()
	r, ok := newRecordParser(w, func(string) bool { return true }).parse([]byte(text))
	return plainRecordOf(w, r), ok
}

// letter puts a record into the dead letters.
func (s *sheet) letter(at writeID, id sale.OrderID, orders map[sale.OrderID]plainOrder, moved map[string]int64) {
	r := recorded{sale: s.sale, at: at, id: id, orders: s.seen(orders), moved: moved}
	slices.SortFunc(r.orders, func(a, b seen) int { return cmp.Compare(a.id, b.id) })
	s.letters[mark{at, id}] = r
}

// lettersOf returns the dead letters in words.
func lettersOf(f *facts) map[mark]plainRecord {
	all := map[mark]plainRecord{}
	for m := range maps.Keys(f.letters) {
		all[m] = plainRecordOf(f.words, f.letters[m])
	}
	return all
}
