package check

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

const (
	shopUnits     = 25 // of a
	shopOthers    = 12 // of b
	shopBuyers    = 16
	shopLimit     = 2 // of a
	shopOther     = 1 // of b
	shopSaleLimit = 3 // of both, so no order that has less than that is beyond it alone
	shopOps       = 400
)

// shop is a shop that keeps every promise: one unit after the other, with answers lost, orders cancelled, paid and
// expired, of one SKU or of both, and units that the operator adds and takes back. Its evidence is good; tests break it in
// one place.
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
		"s": {StartsMS: 1_000_000, EndsMS: 2_000_000, Limit: shopLimit, Limits: map[string]int{"b": shopOther},
			SaleLimit: shopSaleLimit, Loaded: map[string]int64{"a": shopUnits, "b": shopOthers}, Demand: map[string]bool{}},
	}}}
	s.Epochs = []EpochSeen{{"s", 0, 1, 0}}
	for range shopOps {
		s.act()
	}
	s.ask(history.Question{Verb: history.Resume}, func() history.Answer { return history.Answer{End: history.OK} })
	s.paused = false
	for i := range int(s.left("a")) + 100 {
		s.press(history.Question{Verb: history.Buy, SKU: "a", Buyer: fmt.Sprintf("d%d", i)})
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
	b := Bucket{Sale: "s", State: "open", RedisState: "open", Epoch: 1, RedisEpoch: 1, Owners: []Owner{}}
	for _, sku := range []string{"a", "b"} {
		shelf := Shelf{sku, sale.Stock{Loaded: s.loaded(item{"s", sku}), Available: s.left(sku)}}
		for i := range s.Rows {
			units := int64(history.UnitsOf(s.Rows[i].Lines, sku))
			shelf.Settled += units
			if s.Rows[i].returned() {
				shelf.Released += units
			}
		}
		b.Shelves = append(b.Shelves, shelf)
	}
	for i := range s.Rows {
		row := &s.Rows[i]
		b.Owners = append(b.Owners, Owner{row.Buyer, row.Order, row.Lines, row.returned()})
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
	case k == 10:
		if n := s.random.IntN(8); n < 2 {
			s.pause()
		} else if n == 2 {
			s.restock()
		}
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

// held returns the units that a buyer has of a SKU, of both for "".
func (s *shop) held(buyer, sku string) (units int) {
	for i := range s.Rows {
		if row := &s.Rows[i]; row.Buyer == buyer && row.takesUnits() {
			units += history.UnitsOf(row.Lines, sku)
		}
	}
	return units
}

func (s *shop) left(sku string) int64 {
	left := s.loaded(item{"s", sku})
	for i := range s.Rows {
		if s.Rows[i].takesUnits() {
			left -= int64(history.UnitsOf(s.Rows[i].Lines, sku))
		}
	}
	return left
}

// restock adds some units of a SKU, or takes back what is left of them.
func (s *shop) restock() {
	q := history.Question{Verb: history.Restock, SKU: []string{"a", "b"}[s.random.IntN(2)], Key: fmt.Sprint("r", len(s.Ops)),
		Add: int64(s.random.IntN(9) - 4)}
	if q.Add == 0 {
		return
	}
	added := max(q.Add, -s.left(q.SKU))
	for range 1 + s.random.IntN(2) { // under its key it happens once
		s.ask(q, func() history.Answer {
			of := Change{Sale: "s", SKU: q.SKU, Key: q.Key, Asked: q.Add, Added: added, Done: true}
			if !slices.Contains(s.Changes, of) {
				s.Changes = append(s.Changes, of)
			}
			return history.Answer{End: history.OK, Status: 200, Added: added}
		})
	}
}

func (s *shop) buy() {
	buyer := fmt.Sprintf("b%d", s.random.IntN(shopBuyers))
	key := ""
	if s.random.IntN(3) > 0 {
		key = fmt.Sprintf("k%d", s.random.IntN(40))
	}
	q := history.Question{Verb: history.Buy, Buyer: buyer, Key: key}
	switch lines := history.One("a", 1+s.random.IntN(2)); s.random.IntN(6) {
	case 0:
		q.SKU = "b"
	case 1:
		q.Lines = append(lines, history.Line{SKU: "b", Quantity: 1})
	case 2:
		q.Lines = lines
	default:
		q.SKU, q.Quantity = "a", lines[0].Quantity
	}
	s.press(q)
}

// press answers by the key, or decides.
func (s *shop) press(q history.Question) {
	s.ask(q, func() history.Answer {
		for i := range s.Rows {
			if row := &s.Rows[i]; q.Key != "" && row.Buyer == q.Buyer && row.Key == q.Key {
				if !history.Same(row.Lines, q.Wants()) {
					return history.Answer{End: history.Refused, Status: 422, Code: "idempotency_key_reused", Named: row.Order}
				}
				return s.answer(200, row)
			}
		}
		return s.decide(q)
	})
}

func (s *shop) decide(q history.Question) history.Answer {
	if s.paused {
		return history.Answer{End: history.Refused, Status: 503, Code: "paused"}
	}
	if a, refused := s.refuse(q); refused {
		return a
	}
	s.next++
	ms := s.now / 1000
	row := Row{Order: fmt.Sprint(s.next), Sale: "s", Lines: q.Wants(), Buyer: q.Buyer, Key: q.Key,
		Status: "confirmed", CreatedMS: ms, UpdatedMS: ms}
	s.Rows = append(s.Rows, row)
	s.Batches = append(s.Batches, Batch{Sale: "s", Epoch: 1, CreatedMS: ms, Orders: []string{row.Order}})
	s.announce(&row)
	if s.random.IntN(6) == 0 {
		return history.Answer{End: history.Perhaps}
	}
	return s.answer(202, &row)
}

// refuse returns the refusal of a purchase that a limit or the stock does not allow.
func (s *shop) refuse(q history.Question) (a history.Answer, refused bool) {
	a = history.Answer{End: history.Refused, Status: 409}
	of := s.Sales["s"]
	for _, line := range q.Wants() {
		if has := s.held(q.Buyer, line.SKU); has+line.Quantity > of.limitOf(line.SKU) {
			a.Code, a.Of, a.Scope, a.Limit, a.Bought = "already_bought", line.SKU, "sku", of.limitOf(line.SKU), has
			return a, true
		}
	}
	if has := s.held(q.Buyer, ""); has+history.UnitsOf(q.Wants(), "") > shopSaleLimit {
		a.Code, a.Scope, a.Limit, a.Bought = "already_bought", "sale", shopSaleLimit, has
		return a, true
	}
	for _, line := range q.Wants() {
		left := s.left(line.SKU)
		if a.Of, a.Code = line.SKU, "sold_out"; left == 0 {
			return a, true
		}
		if a.Code, a.Available = "not_enough", left; left < int64(line.Quantity) {
			return a, true
		}
	}
	return history.Answer{}, false
}

func (s *shop) answer(status int, row *Row) history.Answer {
	seen := s.seen(row)
	if status == 202 {
		seen.Status = "queued"
	}
	return history.Answer{End: history.OK, Status: status, Orders: []history.Seen{seen}}
}

func (s *shop) seen(row *Row) history.Seen {
	return history.Seen{Order: row.Order, Status: row.Status, Lines: row.Lines, CreatedMS: row.CreatedMS}
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
	of := []string{"a", "b", ""}[s.random.IntN(3)]
	s.ask(history.Question{Verb: history.List, SKU: of, Buyer: buyer}, func() history.Answer {
		a := history.Answer{End: history.OK, Status: 200}
		for i := range s.Rows {
			if s.Rows[i].Buyer == buyer && history.UnitsOf(s.Rows[i].Lines, of) > 0 {
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

// promised reports whether an answer promised the row to its buyer.
func (s *shop) promised(row *Row) bool {
	return slices.ContainsFunc(s.Ops, func(op history.Op) bool { return op.Verb == history.Buy && op.Order().Order == row.Order })
}

// standing returns the row of an order that takes units, nil when there is none.
func (s *shop) standing(id string) *Row {
	return s.anyRow(func(r *Row) bool { return r.Order == id && r.takesUnits() })
}

// cancelled turns a standing order into a cancelled one, as a cancel does, and returns its id.
func (s *shop) cancelled() string {
	row := s.anyRow(func(r *Row) bool { return r.takesUnits() && history.UnitsOf(r.Lines, "a") > 0 })
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

// lie changes a refusal for the limit of a SKU.
func (s *shop) lie(change func(*history.Op)) bool {
	op := s.anyOp(func(op *history.Op) bool { return op.Code == "already_bought" && op.Scope == "sku" })
	if op == nil {
		return false
	}
	change(op)
	return true
}
