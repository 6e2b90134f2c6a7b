package check

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

const (
	shopUnits  = 25 // of each SKU
	shopBuyers = 16
	shopLimit  = 2 // of a
	shopOfB    = 3 // the limit of b
	shopOfSale = 4
	shopOps    = 400
	shopPrice  = 7
)

// shopSKUs are sold in one sale, alone and together.
var shopSKUs = [...]string{"a", "b"}

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
		"s": {StartsMS: 1_000_000, EndsMS: 2_000_000, Limit: shopLimit, Limits: map[string]int{"b": shopOfB},
			SaleLimit: shopOfSale, Loaded: map[string]int64{"a": shopUnits, "b": shopUnits}, Demand: map[string]bool{}},
	}}}
	s.Epochs = []EpochSeen{{"s", 0, 1, 0}}
	for range shopOps {
		s.act()
	}
	s.ask(history.Question{Verb: history.Resume}, func() history.Answer { return history.Answer{End: history.OK} })
	s.paused = false
	for i := range 200 {
		s.buyOf(fmt.Sprintf("late%d", i), []history.Line{{SKU: shopSKUs[i%2], Quantity: 1}})
	}
	s.Sales["s"].Demand["a"], s.Sales["s"].Demand["b"] = true, true
	s.dued()
	s.Buckets = []Bucket{s.bucket()}
	s.Stock, s.Paid = Totals(s.Buckets), s.paid()
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
	for _, sku := range shopSKUs {
		shelf := Shelf{SKU: sku, Stock: sale.Stock{Loaded: s.Sales["s"].Loaded[sku], Available: s.left(sku)}}
		for i := range s.Rows {
			units := int64(of(s.Rows[i].Lines, sku))
			shelf.Settled += units
			if s.Rows[i].returned() {
				shelf.Released += units
			}
		}
		b.Shelves = append(b.Shelves, shelf)
	}
	for i := range s.Rows {
		row := &s.Rows[i]
		b.Owners = append(b.Owners, Owner{Buyer: row.Buyer, Order: row.Order, Lines: row.Lines, Gone: row.returned()})
	}
	return b
}

// of returns the units of a SKU in lines.
func of(lines []history.Line, sku string) (units int) {
	for _, line := range lines {
		if line.SKU == sku {
			units += line.Quantity
		}
	}
	return units
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
		switch s.random.IntN(8) {
		case 0, 1:
			s.pause()
		case 2:
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

// held returns the units of a SKU that a buyer owns, of the sale when sku is empty.
func (s *shop) held(buyer, sku string) (units int) {
	for i := range s.Rows {
		if row := &s.Rows[i]; row.Buyer == buyer && row.takesUnits() {
			if sku == "" {
				units += history.Units(row.Lines)
			}
			units += of(row.Lines, sku)
		}
	}
	return units
}

func (s *shop) left(sku string) int64 {
	left := s.Sales["s"].Loaded[sku]
	for i := range s.Rows {
		if s.Rows[i].takesUnits() {
			left -= int64(of(s.Rows[i].Lines, sku))
		}
	}
	return left
}

func (s *shop) buy() {
	lines := []history.Line{{SKU: shopSKUs[s.random.IntN(2)], Quantity: 1 + s.random.IntN(2)}}
	if s.random.IntN(3) == 0 {
		lines = []history.Line{{SKU: "b", Quantity: 1 + s.random.IntN(2)}, {SKU: "a", Quantity: 1}}
	}
	s.buyOf(fmt.Sprintf("b%d", s.random.IntN(shopBuyers)), lines)
}

func (s *shop) buyOf(buyer string, lines []history.Line) {
	q := history.Question{Verb: history.Buy, Sale: "s", Buyer: buyer}
	if s.random.IntN(3) > 0 {
		q.Key = fmt.Sprintf("k%d", s.random.IntN(40))
	}
	q.Want(lines)
	s.ask(q, func() history.Answer {
		for i := range s.Rows {
			if row := &s.Rows[i]; q.Key != "" && row.Buyer == buyer && row.Key == q.Key {
				if row.text() != linesOf(&q) {
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
	if refused := s.refusal(q); refused.Code != "" {
		refused.End, refused.Status = history.Refused, 409
		return refused
	}
	s.next++
	ms := s.now / 1000
	row := Row{Order: fmt.Sprint(s.next), Sale: "s", Buyer: q.Buyer, Key: q.Key, Lines: q.Wanted(), Status: "confirmed",
		CreatedMS: ms, UpdatedMS: ms}
	for i := range row.Lines {
		row.Lines[i].UnitPriceCents = shopPrice
	}
	units := history.Units(row.Lines)
	row.Sums = &Sums{len(row.Lines), units, int64(units) * shopPrice}
	s.Rows = append(s.Rows, row)
	s.Batches = append(s.Batches, Batch{Sale: "s", Epoch: 1, CreatedMS: ms, Orders: []string{row.Order}})
	s.announce(&row)
	if s.random.IntN(6) == 0 {
		return history.Answer{End: history.Perhaps}
	}
	return s.answer(202, &row)
}

// refusal decides a purchase in the order of the checks; its code is empty when the purchase is taken.
func (s *shop) refusal(q history.Question) history.Answer {
	sales := s.Sales["s"]
	lines := q.Wanted()
	for _, l := range lines {
		if l.Quantity > sales.LimitOf(l.SKU) {
			return history.Answer{Code: "over_limit", Scope: "sku", NamedSKU: l.SKU}
		}
	}
	for _, l := range lines {
		if has := s.held(q.Buyer, l.SKU); has+l.Quantity > sales.LimitOf(l.SKU) {
			return history.Answer{Code: "already_bought", Scope: "sku", NamedSKU: l.SKU, Bought: has}
		}
	}
	if has := s.held(q.Buyer, ""); has+history.Units(lines) > sales.SaleLimit {
		return history.Answer{Code: "already_bought", Scope: "sale", Bought: has}
	}
	for _, l := range lines {
		switch left := s.left(l.SKU); {
		case left == 0:
			return history.Answer{Code: "sold_out", NamedSKU: l.SKU}
		case left < int64(l.Quantity):
			return history.Answer{Code: "not_enough", NamedSKU: l.SKU, Available: left}
		}
	}
	return history.Answer{}
}

func (s *shop) answer(status int, row *Row) history.Answer {
	seen := s.seen(row)
	if status == 202 {
		seen.Status = "queued"
	}
	return history.Answer{End: history.OK, Status: status, Orders: []history.Seen{seen}}
}

func (s *shop) seen(row *Row) history.Seen {
	seen := history.Seen{Order: row.Order, Status: row.Status, Lines: slices.Clone(row.Lines), CreatedMS: row.CreatedMS}
	seen.TotalCents = int64(history.Units(row.Lines)) * shopPrice
	if len(row.Lines) == 1 {
		seen.SKU, seen.Quantity = row.Lines[0].SKU, row.Lines[0].Quantity
	}
	return seen
}

// freezeUS and firstPayMS are times of the shop's only freeze and of the orders' payment times: nothing expires before.
const (
	freezeUS   = 100
	thawUS     = 200
	firstPayMS = 10
	shiftMS    = 5
)

// dued gives every row a payment time, which a thaw moved if the row was there before it, and announces what moved.
func (s *shop) dued() {
	s.Freezes = []Freeze{{"s", freezeUS, thawUS}}
	for i := range s.Rows {
		row := &s.Rows[i]
		if row.Status == "refused" {
			continue
		}
		row.Due = &Deadline{FirstMS: firstPayMS, PayByMS: firstPayMS}
		if row.Status == "expired" {
			row.Due.EndedMS, row.Due.ExpiredUS = row.UpdatedMS, row.UpdatedMS*1000
		}
		if s.random.IntN(2) == 0 {
			row.Due.Moves, row.Due.PayByMS = []int64{shiftMS}, firstPayMS+shiftMS
			s.extended(row)
		}
	}
}

// extended announces, after its confirmation, that a row got another payment time.
func (s *shop) extended(row *Row) {
	at := slices.IndexFunc(s.Events, func(e Event) bool { return e.ID == row.Order+":confirmed" })
	if at < 0 {
		return
	}
	s.Events = slices.Insert(s.Events, at+1, Event{ID: fmt.Sprintf("%s:extended:%d", row.Order, row.Due.PayByMS),
		Order: row.Order, Status: "extended"})
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
	buyer, sku := fmt.Sprintf("b%d", s.random.IntN(shopBuyers)), []string{"a", "b", ""}[s.random.IntN(3)]
	s.ask(history.Question{Verb: history.List, SKU: sku, Buyer: buyer}, func() history.Answer {
		a := history.Answer{End: history.OK, Status: 200}
		for i := range s.Rows {
			if s.Rows[i].Buyer == buyer && (sku == "" || of(s.Rows[i].Lines, sku) > 0) {
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

// cancelled turns a standing order with the SKU a into a cancelled one, as a cancel does, and returns its id.
func (s *shop) cancelled() string {
	row := s.anyRow(func(r *Row) bool { return r.takesUnits() && of(r.Lines, "a") > 0 })
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

// paid counts the payments of each SKU.
func (s *shop) paid() (all []Paid) {
	for _, sku := range shopSKUs {
		p := Paid{Sale: "s", SKU: sku}
		for i := range s.Rows {
			for _, l := range s.Rows[i].Lines {
				if s.Rows[i].Status == "paid" && l.SKU == sku {
					p.Units, p.Orders = p.Units+int64(l.Quantity), p.Orders+1
				}
			}
		}
		all = append(all, p)
	}
	return all
}
