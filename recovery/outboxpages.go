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
	full := false
	for i := range rows {
		row := &rows[i]
		if err := checkRow(row); err != nil {
			return nil, err
		}
		if i == 0 || row.Bucket != last {
			last, full = row.Bucket, false
			pages = append(pages, scripts.ReleasePage{Bucket: row.Bucket, Epoch: row.Epoch, First: row.Number})
		}
		page := &pages[len(pages)-1]
		if full = full || !takes(page, row); !full {
			addRow(page, row)
		}
	}
	return pages, nil
}

// takes reports whether the row may follow in this page.
func takes(p *scripts.ReleasePage, row *sale.OutboxRow) bool {
	return row.Epoch == p.Epoch && row.Number == p.First+int64(p.Rows) && p.Rows < scripts.MaxReleaseRows &&
		(p.Rows == 0 || len(p.Orders)+len(row.Orders) <= scripts.MaxReleaseOrders)
}

func addRow(p *scripts.ReleasePage, row *sale.OutboxRow) {
	p.Rows++
	for _, o := range row.Orders {
		p.Orders = append(p.Orders, scripts.PageOrder{ReleasedOrder: o, Refused: row.Kind == sale.OutboxRefusal})
	}
	if row.Kind == sale.OutboxCredit {
		p.Credits += row.Units
	}
}

// checkRow refuses a row that the database cannot have written.
func checkRow(row *sale.OutboxRow) error {
	units := int64(0)
	for _, o := range row.Orders {
		units += int64(o.Quantity)
	}
	gives := row.Kind == sale.OutboxRelease || row.Kind == sale.OutboxRefusal
	switch {
	case gives && len(row.Orders) > 0 && len(row.Orders) <= scripts.MaxReleaseOrders && units == row.Units:
	case row.Kind == sale.OutboxCredit && len(row.Orders) == 0 && row.Units > 0:
	default:
		return fmt.Errorf("outbox row %d of bucket %s: %s of %d units with %d orders of %d units",
			row.Number, row.Bucket, row.Kind, row.Units, len(row.Orders), units)
	}
	return nil
}
