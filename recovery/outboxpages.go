package recovery

import (
	"fmt"

	"flashsale/sale"
	"flashsale/scripts"
)

// releasePages makes one page for each bucket: its first rows, as many as one call may have. The rows are sorted by bucket and
// number.
func releasePages(rows []sale.OutboxRow) ([]scripts.ReleasePage, error) {
	var pages []scripts.ReleasePage
	var last sale.Bucket
	full, lines := false, 0 // of the page
	for i := range rows {
		row := &rows[i]
		if err := checkRow(row); err != nil {
			return nil, err
		}
		if i == 0 || row.Bucket != last {
			last, full, lines = row.Bucket, false, 0
			pages = append(pages, scripts.ReleasePage{Bucket: row.Bucket, Epoch: row.Epoch, First: row.Number})
		}
		page := &pages[len(pages)-1]
		lines += row.LineCount()
		if full = full || !takes(page, row, lines); !full {
			addRow(page, row)
		}
	}
	return pages, nil
}

// takes reports whether the row may follow in this page, which then has so many lines. A take is alone in its page, because
// Redis remembers what the last take found and no more (rule: take-alone).
func takes(p *scripts.ReleasePage, row *sale.OutboxRow, lines int) bool {
	if p.Rows == 0 {
		return true
	}
	return row.Epoch == p.Epoch && row.Number == p.First+int64(p.Rows) && p.Rows < scripts.MaxReleaseRows &&
		row.Kind != sale.OutboxTake && len(p.Take) == 0 &&
		len(p.Orders)+len(row.Orders) <= scripts.MaxReleaseOrders && lines <= scripts.MaxReleaseLines
}

func addRow(p *scripts.ReleasePage, row *sale.OutboxRow) {
	p.Rows++
	for _, o := range row.Orders {
		p.Orders = append(p.Orders, scripts.PageOrder{ReleasedOrder: o, Refused: row.Kind == sale.OutboxRefusal})
	}
	switch row.Kind {
	case sale.OutboxTake:
		p.Take = row.Lines
	case sale.OutboxCredit, sale.OutboxRaise:
		p.Gains = append(p.Gains, row.Lines...)
	}
}

// checkRow refuses a row that the database cannot have written.
func checkRow(row *sale.OutboxRow) error {
	fits := false
	switch row.Kind {
	case sale.OutboxRelease, sale.OutboxRefusal:
		fits = len(row.Lines) == 0 && len(row.Orders) > 0 && len(row.Orders) <= scripts.MaxReleaseOrders && ordersHaveLines(row)
	case sale.OutboxCredit, sale.OutboxRaise, sale.OutboxTake:
		fits = len(row.Orders) == 0 && len(row.Lines) > 0 && linesAreSound(row)
	}
	if fits {
		return nil
	}
	return fmt.Errorf("outbox row %d of bucket %s: %q with %d orders and %d lines", row.Number, row.Bucket, row.Kind,
		len(row.Orders), len(row.Lines))
}

func ordersHaveLines(row *sale.OutboxRow) bool {
	for i := range row.Orders {
		if sale.UnitsOf(row.Orders[i].Lines) < 1 {
			return false
		}
	}
	return true
}

// linesAreSound reports whether the lines of a row are of distinct SKUs with a number and possible units. A raise of no units
// makes Redis know the SKU.
func linesAreSound(row *sale.OutboxRow) bool {
	least := int64(1)
	if row.Kind == sale.OutboxRaise {
		least = 0
	}
	seen := make(map[string]bool, len(row.Lines))
	for i := range row.Lines {
		line := &row.Lines[i]
		if seen[line.SKU] || line.Number < 1 || line.Limit < 1 || line.Units < least || line.Units > sale.MaxStock {
			return false
		}
		seen[line.SKU] = true
	}
	return true
}
