package check

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

const (
	shopUnits  = 25
	shopBuyers = 16
	shopLimit  = 2
	shopOps    = 400
)

// shop is a shop that keeps every promise: one unit after the other, with answers lost, orders cancelled, paid and
// expired. Its evidence is good; tests break it in one place.
type shop struct {
	*Evidence
	random *rand.Rand
	now    int64 // microseconds
	next   int
	paused bool
}

// newShop makes the history of a seed.
func newShop(seed uint64) *shop {
	s := &shop{random: rand.New(rand.NewPCG(seed, 7)), now: 1_000_000_000, Evidence: &Evidence{Sales: map[string]Sale{
		"s": {StartsMS: 1_000_000, EndsMS: 2_000_000, Limit: shopLimit, Loaded: map[string]int64{"a": shopUnits},
			Demand: map[string]bool{}},
	}}}
	s.Epochs = []EpochSeen{{"s", "a", 0, 1, 0}}
	for range shopOps {
		s.act()
	}
	s.ask(history.Question{Verb: history.Resume}, func() history.Answer { return history.Answer{End: history.OK} })
	s.paused = false
	for range 200 {
		s.buy()
	}
	s.Sales["s"].Demand["a"] = true
	s.Buckets = []Bucket{s.bucket()}
	s.Stock = Totals(s.Buckets)
	s.Waiting = map[string]int64{"outbox rows": 0}
	s.RestUS = s.now
	for range 10 {
		s.list()
	}
	return s
}

// bucket is the only one, at rest.
func (s *shop) bucket() Bucket {
	b := Bucket{Sale: "s", SKU: "a", Stock: sale.Stock{Loaded: shopUnits, Available: s.left()}, State: "open", RedisState: "open",
		Epoch: 1, RedisEpoch: 1, Owners: []Owner{}}
	for i := range s.Rows {
		row := &s.Rows[i]
		owner := Owner{row.Buyer, row.Order, row.Quantity}
		b.Settled += int64(row.Quantity)
		if row.returned() {
			b.Released += int64(row.Quantity)
			owner.Units = -owner.Units
		}
		b.Owners = append(b.Owners, owner)
	}
	return b
}

func (s *shop) act() {
	switch k := s.random.IntN(12); {
	case k < 7:
		s.buy()
	case k < 9:
		s.end()
	case k == 9:
		s.read()
	case k == 10 && s.random.IntN(4) == 0:
		s.pause()
	case k == 11:
		s.list()
	}
}

// ask records one operation that happens between its question and its answer.
func (s *shop) ask(q history.Question, do func() history.Answer) {
	op := history.Op{N: len(s.Ops), Invoke: s.now, Question: q}
	op.Sale = "s"
	s.now += 1_000 + s.random.Int64N(3_000)
	op.Answer = do()
	s.now += 1_000 + s.random.Int64N(3_000)
	op.Return = s.now
	if op.End == history.Perhaps && s.random.IntN(2) == 0 {
		op.Return = 0
		op.End = history.Open
	}
	s.Ops = append(s.Ops, op)
	s.now += s.random.Int64N(5_000)
}

func (s *shop) held(buyer string) (units int) {
	for i := range s.Rows {
		if row := &s.Rows[i]; row.Buyer == buyer && row.stands() {
			units += row.Quantity
		}
	}
	return units
}

func (s *shop) left() int64 {
	left := int64(shopUnits)
	for i := range s.Rows {
		if s.Rows[i].stands() {
			left -= int64(s.Rows[i].Quantity)
		}
	}
	return left
}

func (s *shop) buy() {
	buyer, quantity := fmt.Sprintf("b%d", s.random.IntN(shopBuyers)), 1+s.random.IntN(2)
	key := ""
	if s.random.IntN(3) > 0 {
		key = fmt.Sprintf("k%d", s.random.IntN(40))
	}
	q := history.Question{Verb: history.Buy, SKU: "a", Buyer: buyer, Key: key, Quantity: quantity}
	s.ask(q, func() history.Answer {
		for i := range s.Rows {
			if row := &s.Rows[i]; key != "" && row.Buyer == buyer && row.Key == key {
				if row.Quantity != quantity {
					return history.Answer{End: history.Refused, Status: 422, Code: "idempotency_key_reused", Named: row.Order}
				}
				return s.told(200, row)
			}
		}
		return s.decide(q)
	})
}

func (s *shop) decide(q history.Question) history.Answer {
	refuse := func(code string) history.Answer { return history.Answer{End: history.Refused, Status: 409, Code: code} }
	switch {
	case s.paused:
		return history.Answer{End: history.Refused, Status: 503, Code: "paused"}
	case s.held(q.Buyer)+q.Quantity > shopLimit:
		a := refuse("already_bought")
		a.Bought = s.held(q.Buyer)
		return a
	case s.left() == 0:
		return refuse("sold_out")
	case s.left() < int64(q.Quantity):
		a := refuse("not_enough")
		a.Available = s.left()
		return a
	}
	s.next++
	ms := s.now / 1000
	row := Row{Order: fmt.Sprint(s.next), Sale: "s", SKU: "a", Buyer: q.Buyer, Key: q.Key, Quantity: q.Quantity,
		Status: "confirmed", CreatedMS: ms, UpdatedMS: ms}
	s.Rows = append(s.Rows, row)
	s.Batches = append(s.Batches, Batch{Sale: "s", SKU: "a", Epoch: 1, CreatedMS: ms, Orders: []string{row.Order}})
	s.announce(&row)
	if s.random.IntN(6) == 0 {
		return history.Answer{End: history.Perhaps}
	}
	return s.told(202, &row)
}

func (s *shop) told(status int, row *Row) history.Answer {
	seen := s.seen(row)
	if status == 202 {
		seen.Status = "queued"
	}
	return history.Answer{End: history.OK, Status: status, Orders: []history.Seen{seen}}
}

func (s *shop) seen(row *Row) history.Seen {
	return history.Seen{Order: row.Order, Status: row.Status, SKU: "a", Quantity: row.Quantity, CreatedMS: row.CreatedMS}
}

func (s *shop) announce(row *Row) {
	e := Event{ID: row.Order + ":" + row.Status, Order: row.Order, Status: row.Status, Data: row.Status + row.Buyer}
	s.Events = append(s.Events, e)
	if s.random.IntN(8) == 0 {
		s.Events = append(s.Events, e)
	}
}

// end cancels, pays or lets an order expire.
func (s *shop) end() {
	if len(s.Rows) == 0 {
		return
	}
	row := &s.Rows[s.random.IntN(len(s.Rows))]
	verb := []history.Verb{history.Cancel, history.ShopCancel, history.Pay, "expire"}[s.random.IntN(4)]
	move := func(status string) {
		row.Status, row.UpdatedMS = status, s.now/1000
		s.announce(row)
	}
	if verb == "expire" {
		if row.Status == "confirmed" {
			move("expired")
			s.now += 2_000
		}
		return
	}
	q := history.Question{Verb: verb, Buyer: row.Buyer, Order: row.Order, Payment: "p" + fmt.Sprint(len(s.Ops))}
	s.ask(q, func() history.Answer {
		if row.Status != "confirmed" {
			return history.Answer{End: history.Refused, Status: 409, Code: "wrong_status", NamedIs: row.Status}
		}
		if verb == history.Pay {
			row.Payment = q.Payment
			move("paid")
		} else {
			move("cancelled")
		}
		if s.random.IntN(6) == 0 {
			return history.Answer{End: history.Perhaps}
		}
		return history.Answer{End: history.OK, Status: 200, Orders: []history.Seen{s.seen(row)}}
	})
}

func (s *shop) read() {
	if len(s.Rows) == 0 {
		return
	}
	row := &s.Rows[s.random.IntN(len(s.Rows))]
	s.ask(history.Question{Verb: history.Read, Buyer: row.Buyer, Order: row.Order}, func() history.Answer {
		return history.Answer{End: history.OK, Status: 200, Orders: []history.Seen{s.seen(row)}}
	})
}

func (s *shop) list() {
	buyer := fmt.Sprintf("b%d", s.random.IntN(shopBuyers))
	s.ask(history.Question{Verb: history.List, SKU: "a", Buyer: buyer}, func() history.Answer {
		a := history.Answer{End: history.OK, Status: 200}
		for i := range s.Rows {
			if s.Rows[i].Buyer == buyer {
				a.Orders = append(a.Orders, s.seen(&s.Rows[i]))
			}
		}
		return a
	})
}

func (s *shop) pause() {
	verb := history.Pause
	if s.paused {
		verb = history.Resume
	}
	s.ask(history.Question{Verb: verb}, func() history.Answer {
		s.paused = verb == history.Pause
		return history.Answer{End: history.OK, Status: 200}
	})
}

// anyRow returns a row for which want holds, nil when there is none.
func (s *shop) anyRow(want func(*Row) bool) *Row {
	for _, i := range s.random.Perm(len(s.Rows)) {
		if want(&s.Rows[i]) {
			return &s.Rows[i]
		}
	}
	return nil
}

// anyOp returns an operation for which want holds.
func (s *shop) anyOp(want func(*history.Op) bool) *history.Op {
	for _, i := range s.random.Perm(len(s.Ops)) {
		if want(&s.Ops[i]) {
			return &s.Ops[i]
		}
	}
	return nil
}

func (s *shop) drop(row *Row) {
	s.Rows = slices.DeleteFunc(s.Rows, func(r Row) bool { return r.Order == row.Order })
}

// promised reports whether a buyer was told of the row.
func (s *shop) promised(row *Row) bool {
	return slices.ContainsFunc(s.Ops, func(op history.Op) bool { return op.Verb == history.Buy && op.Order().Order == row.Order })
}

// standing returns the row of an order that takes units, nil when there is none.
func (s *shop) standing(id string) *Row {
	return s.anyRow(func(r *Row) bool { return r.Order == id && r.stands() })
}

// cancelled turns a standing order into a cancelled one, as a cancel does, and returns its id.
func (s *shop) cancelled() string {
	row := s.anyRow(func(r *Row) bool { return r.stands() })
	row.Status = "cancelled"
	return row.Order
}

// pressAgain repeats a press that has an order, later by a while and more, and has it refused.
func (s *shop) pressAgain(code string, laterUS int64) bool {
	op := s.anyOp(func(op *history.Op) bool { return op.Key != "" && op.Order().Order != "" })
	if op == nil {
		return false
	}
	s.Ops = append(s.Ops, history.Op{N: len(s.Ops), Invoke: s.now + laterUS, Return: s.now + laterUS + 1, Question: op.Question,
		Answer: history.Answer{End: history.Refused, Status: 409, Code: code}})
	return true
}
