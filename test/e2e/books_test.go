package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// row is one order as the database has it.
type row struct {
	id, sku, buyer, status string
	quantity               int
}

// books is what the database says about a sale.
type books struct {
	rows    map[string]row   // by order id
	byBuyer map[string][]row // "buyer/sku"
	units   map[string]int   // by SKU, refused orders left out
}

func (s *stack) books(sale string) books {
	s.t.Helper()
	found, err := s.DB().Query("SELECT order_id, sku, buyer_id, status, quantity FROM orders WHERE sale_id = ?", sale)
	require.NoError(s.t, err)
	defer found.Close()
	b := books{rows: map[string]row{}, byBuyer: map[string][]row{}, units: map[string]int{}}
	for found.Next() {
		var r row
		require.NoError(s.t, found.Scan(&r.id, &r.sku, &r.buyer, &r.status, &r.quantity))
		b.add(r)
	}
	require.NoError(s.t, found.Err())
	return b
}

func (b *books) add(r row) {
	b.rows[r.id] = r
	if r.status == "refused" {
		return
	}
	b.byBuyer[r.buyer+"/"+r.sku] = append(b.byBuyer[r.buyer+"/"+r.sku], r)
	b.units[r.sku] += r.quantity
}

// judge compares what buyers were told with the rows, and returns every breach of the promise.
func judge(b books, history []told, buyerID func(int) string, limit int, stock map[string]int) []string {
	j := &judgement{books: b, buyerID: buyerID, keys: map[string]string{}, mayHave: map[string]bool{}}
	for i := range history {
		j.hear(&history[i])
	}
	for owner, rows := range b.byBuyer {
		units := 0
		for _, r := range rows {
			units += r.quantity
		}
		if units > limit {
			j.fault("%s has %d units, the limit is %d", owner, units, limit)
		}
		if !j.mayHave[owner] {
			j.fault("%s has order %s and was told only refusals", owner, rows[0].id)
		}
	}
	for sku, loaded := range stock {
		if b.units[sku] > loaded {
			j.fault("%s: %d units in rows, %d were loaded", sku, b.units[sku], loaded)
		}
	}
	return j.faults
}

type judgement struct {
	books   books
	buyerID func(int) string
	keys    map[string]string // "buyer/sku/key" to the order id it named
	mayHave map[string]bool   // "buyer/sku": was told of an order, or perhaps
	faults  []string
}

func (j *judgement) fault(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

func (j *judgement) hear(t *told) {
	buyer := j.buyerID(t.buyer)
	owner := buyer + "/" + t.sku
	switch {
	case t.has():
		j.mayHave[owner] = true
		j.rowOf(t, buyer)
		j.sameOrder(t, owner)
	case t.perhaps():
		j.mayHave[owner] = true
	case t.code == "already_bought":
		if r, is := j.books.rows[t.order]; !is || r.buyer != buyer || r.sku != t.sku {
			j.fault("%s was told of order %q, which is not theirs", owner, t.order)
		}
	}
}

func (j *judgement) rowOf(t *told, buyer string) {
	r, is := j.books.rows[t.order]
	switch want := max(t.quantity, 1); {
	case !is:
		j.fault("%s/%s was told %d %s of order %q, which has no row: lost", buyer, t.sku, t.status, t.code, t.order)
	case r.buyer != buyer || r.sku != t.sku || r.quantity != want:
		j.fault("order %s is %+v, its buyer %s asked for %d of %s", t.order, r, buyer, want, t.sku)
	case r.status == "refused":
		j.fault("order %s of %s was refused", t.order, buyer)
	}
}

func (j *judgement) sameOrder(t *told, owner string) {
	if t.key == "" {
		return
	}
	key := owner + "/" + t.key
	if first := j.keys[key]; first != "" && first != t.order {
		j.fault("%s got orders %s and %s for one key", owner, first, t.order)
	}
	j.keys[key] = t.order
}

// check waits until nothing is in flight and judges the sale.
func (c *crowd) check(limit int, stock map[string]int) books {
	t := c.s.t
	t.Helper()
	c.s.audit(c.sale)
	b := c.s.books(c.sale)
	faults := judge(b, c.history, c.buyerID, limit, stock)
	if len(faults) > 10 {
		faults = append(faults[:10], fmt.Sprintf("and %d more", len(faults)-10))
	}
	require.Empty(t, faults, "answers: %v", c.codes())
	c.checkPerhaps(b)
	return b
}

// checkPerhaps compares what the API lists with the rows, for every buyer who once did not know.
func (c *crowd) checkPerhaps(b books) {
	c.s.t.Helper()
	asked := map[string]bool{}
	for i := range c.history {
		p := &c.history[i]
		owner := c.buyerID(p.buyer) + "/" + p.sku
		if !p.perhaps() || asked[owner] {
			continue
		}
		asked[owner] = true
		url := "http://" + c.s.Gateways[0].Buyers + "/v1/sales/" + c.sale + "/items/" + p.sku + "/orders"
		answer := c.s.request("GET", url, nil, "Authorization", "Bearer "+c.tokens[p.buyer])
		require.Equal(c.s.t, http.StatusOK, answer.status, "%s", answer.body)
		var own struct {
			Orders []struct {
				OrderID string `json:"order_id"`
			} `json:"orders"`
		}
		require.NoError(c.s.t, json.Unmarshal(answer.body, &own))
		require.Len(c.s.t, own.Orders, len(b.byBuyer[owner]), "%s: %s", owner, answer.body)
		for _, order := range own.Orders {
			require.Equal(c.s.t, c.buyerID(p.buyer), b.rows[order.OrderID].buyer, order.OrderID)
		}
	}
}

// audit runs the audit command until the books of the sales, all when none is named, are at rest: it has to exit 0.
func (s *stack) audit(sales ...string) {
	s.t.Helper()
	s.Succeed(append(append([]string{"audit"}, sales...), "--wait", "60s")...)
}

func TestJudgeFindsWhatItShould(t *testing.T) {
	name := func(i int) string { return fmt.Sprintf("b%d", i) }
	good := row{id: "7", sku: "a", buyer: "b1", status: "confirmed", quantity: 1}
	of := func(rows ...row) books {
		b := books{rows: map[string]row{}, byBuyer: map[string][]row{}, units: map[string]int{}}
		for _, r := range rows {
			b.add(r)
		}
		return b
	}
	yes := told{press: press{buyer: 1, sku: "a", key: "k"}, status: 202, code: "queued", order: "7"}
	no := told{press: press{buyer: 1, sku: "a"}, status: 409, code: "sold_out"}
	with := func(r row, change func(*row)) row { change(&r); return r }
	other := yes
	other.order = "8"
	bought := told{press: press{buyer: 1, sku: "a"}, status: 409, code: "already_bought", order: "7"}
	stock := map[string]int{"a": 1}
	require.Empty(t, judge(of(good), []told{yes, yes, no, bought}, name, 1, stock))
	require.Empty(t, judge(of(good), []told{{press: press{buyer: 1, sku: "a"}}}, name, 1, stock), "no answer is perhaps")
	second := with(good, func(r *row) { r.id = "8" })
	for what, breach := range map[string]struct {
		books   books
		history []told
	}{
		"has no row: lost":            {of(), []told{yes}},
		"told only refusals":          {of(good), []told{no}},
		"was refused":                 {of(with(good, func(r *row) { r.status = "refused" })), []told{yes}},
		"the limit is 1":              {of(good, second), []told{yes}},
		"1 were loaded":               {of(good, second), []told{yes}},
		"for one key":                 {of(good, second), []told{yes, other}},
		"which is not theirs":         {of(with(good, func(r *row) { r.buyer = "b2" })), []told{bought}},
		"its buyer b1 asked for 1":    {of(with(good, func(r *row) { r.quantity = 2 })), []told{yes}},
		"its buyer b1 asked for 1 of": {of(with(good, func(r *row) { r.sku = "c" })), []told{yes}},
	} {
		require.Contains(t, fmt.Sprint(judge(breach.books, breach.history, name, 1, stock)), what)
	}
}
