package e2e

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
	"flashsale/test/check"
	"flashsale/test/check/gather"
)

// row is one order in the database.
type row struct {
	id, buyer, status string
	lines             []history.Line
}

// orderRows holds the order rows of a sale in the database.
type orderRows struct {
	rows    map[string]row   // by order id
	byBuyer map[string][]row // by "buyer/sku" of a line
	units   map[string]int   // by SKU, refused orders left out
}

func (s *stack) orderRows(sale string) orderRows {
	s.t.Helper()
	rows, err := gather.Rows(s.t.Context(), s.DB(), sale)
	require.NoError(s.t, err)
	return orderRowsOf(rows)
}

func orderRowsOf(rows []check.Row) orderRows {
	b := orderRows{rows: map[string]row{}, byBuyer: map[string][]row{}, units: map[string]int{}}
	for i := range rows {
		r := row{rows[i].Order, rows[i].Buyer, rows[i].Status, rows[i].Lines}
		b.rows[r.id] = r
		if r.status == "refused" {
			continue
		}
		for _, line := range r.lines {
			of := r.buyer + "/" + line.SKU
			b.byBuyer[of] = append(b.byBuyer[of], r)
			b.units[line.SKU] += line.Quantity
		}
	}
	return b
}

// check waits until nothing is in flight and lets package check judge the sale. Nothing was lost in it, so no order may be
// refused. Every buyer who once got no definite answer first asks for the list of their orders.
func (c *crowd) check(limit int, stock map[string]int) orderRows {
	c.s.t.Helper()
	of := check.Sale{Limit: limit, Loaded: map[string]int64{}}
	for sku, units := range stock {
		of.Loaded[sku] = int64(units)
	}
	return orderRowsOf(c.judged(of, nil).Rows)
}

// judged is check with everything that the caller knows of the sale, except for its window, and of changes of its stock.
func (c *crowd) judged(of check.Sale, changes []check.StockChange) *check.Evidence {
	c.s.t.Helper()
	c.s.audit(c.sale)
	rest := time.Now().UnixMicro()
	c.askWhoDidNotKnow()
	e := c.s.evidence(c.sale)
	of.StartsMS, of.EndsMS = e.Sales[c.sale].StartsMS, e.Sales[c.sale].EndsMS
	e.Sales[c.sale], e.Changes, e.Ops, e.RestUS = of, changes, c.Out.Ops(), rest
	c.s.judge(e, c.codes())
	return e
}

// evidence reads the database and a single Redis for a sale that is at rest.
func (s *stack) evidence(saleID string) *check.Evidence {
	s.t.Helper()
	of, err := gather.Sale(s.t.Context(), s.DB(), saleID)
	require.NoError(s.t, err)
	rows, err := gather.Rows(s.t.Context(), s.DB(), saleID)
	require.NoError(s.t, err)
	e := &check.Evidence{Sales: map[string]check.Sale{saleID: of}, Rows: rows, Calm: true, Unread: true}
	if len(s.Redis) == 1 { // a node of a cluster has a part of the buckets
		e.Buckets, err = gather.Buckets(s.t.Context(), s.DB(), s.Redis[0], s.Name, saleID)
		require.NoError(s.t, err)
		e.Stock = check.Totals(e.Buckets)
	}
	return e
}

// judge requires that no promise is broken.
func (s *stack) judge(e *check.Evidence, codes map[string]int) {
	s.t.Helper()
	faults := check.Judge(e).Faults
	more := ""
	if len(faults) > 10 {
		more, faults = fmt.Sprintf("and %d more; ", len(faults)-10), faults[:10]
	}
	require.Empty(s.t, faults, "%sanswers: %v", more, codes)
}

// askWhoDidNotKnow asks for the list of every buyer who once had no definite answer.
func (c *crowd) askWhoDidNotKnow() {
	with := c.NewClient()
	defer with.Close()
	asked := map[history.Question]bool{}
	for _, op := range c.Out.Ops() {
		q := history.Question{Verb: history.List, Sale: op.Sale, SKU: op.SKU, Buyer: op.Buyer}
		if op.Verb == history.Buy && (op.Status == 0 || op.Status == 504) && !asked[q] {
			asked[q] = true
			c.Ask(with, q)
		}
	}
}

// audit runs the audit command until the books of the sales, all when none is named, are at rest: it has to exit 0.
func (s *stack) audit(sales ...string) {
	s.t.Helper()
	s.Succeed(append(append([]string{"audit"}, sales...), "--wait", "60s")...)
}
