package store

import (
	"database/sql"
	"sync"

	"flashsale/ledger"
	"flashsale/sale"
)

// statuses counts the orders that transactions of this process bring to a status, and reports them once the transaction is
// committed. A transaction that is repeated after a commit of unknown result finds its work done and counts nothing, so that
// the sum may miss what such a commit has done; it never counts twice.
type statuses struct {
	moved func(saleID string, status sale.OrderStatus, orders int64) // nil: nothing is counted

	mu   sync.Mutex
	open map[*sql.Tx]map[statusOf]int64
}

type statusOf struct {
	sale   string
	status sale.OrderStatus
}

// note counts orders in a transaction that is not committed yet.
func (c *statuses) note(tx *sql.Tx, saleID string, status sale.OrderStatus, orders int64) {
	if c.moved == nil || orders == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*sql.Tx]map[statusOf]int64{}
	}
	if c.open[tx] == nil {
		c.open[tx] = map[statusOf]int64{}
	}
	c.open[tx][statusOf{saleID, status}] += orders
}

// notePlan counts the orders of a plan. Most plans are of one sale, so it counts runs of the same sale.
func (c *statuses) notePlan(tx *sql.Tx, p *ledger.Plan) {
	run := func(status sale.OrderStatus, n int, saleOf func(i int) string) {
		for from := 0; from < n; {
			to, id := from+1, saleOf(from)
			for to < n && saleOf(to) == id {
				to++
			}
			c.note(tx, id, status, int64(to-from))
			from = to
		}
	}
	run(sale.StatusConfirmed, len(p.Confirmed), func(i int) string { return p.Confirmed[i].Sale })
	run(sale.StatusRefused, len(p.Refused), func(i int) string { return p.Refused[i].Sale })
	run(p.NewStatus, len(p.Released), func(i int) string { return p.Released[i].Sale })
}

// ended forgets a transaction, and reports its counts if it is committed.
func (c *statuses) ended(tx *sql.Tx, committed bool) {
	if c.moved == nil {
		return
	}
	c.mu.Lock()
	counts := c.open[tx]
	delete(c.open, tx)
	c.mu.Unlock()
	if !committed {
		return
	}
	for of, orders := range counts {
		c.moved(of.sale, of.status, orders)
	}
}
