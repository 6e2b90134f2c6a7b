package ledger

import "flashsale/sale"

// MaxPage bounds the lines of one bucket's outbox rows that a store returns at once, unless the first row alone has more.
const MaxPage = 4 * MaxReleased

// LinesOf returns the lines of an outbox row, those of its orders together: what a call of the script that applies it costs.
func LinesOf(row *sale.OutboxRow) int64 {
	lines := len(row.Lines)
	for i := range row.Orders {
		lines += len(row.Orders[i].Lines)
	}
	return int64(lines)
}
