package reserve

import (
	"fmt"

	"flashsale/sale"
)

// releasePages makes one page for each bucket: its first rows, as many as a call may have. The rows are sorted by bucket and
// number.
func releasePages(rows []sale.OutboxRow) ([]releasePage, error) {
	var pages []releasePage
	var last sale.Bucket
	full := false
	for i := range rows {
		row := &rows[i]
		if err := checkRow(row); err != nil {
			return nil, err
		}
		if i == 0 || row.Bucket != last {
			last, full = row.Bucket, false
			pages = append(pages, releasePage{bucket: row.Bucket, epoch: row.Epoch, first: row.Number})
		}
		page := &pages[len(pages)-1]
		if full = full || !page.takes(row); !full {
			page.add(row)
		}
	}
	return pages, nil
}

// takes reports whether the row may follow in this page.
func (p *releasePage) takes(row *sale.OutboxRow) bool {
	return row.Epoch == p.epoch && row.Number == p.first+int64(p.rows) && p.rows < MaxReleaseRows &&
		(p.rows == 0 || len(p.orders)+len(row.Orders) <= MaxReleaseOrders)
}

func (p *releasePage) add(row *sale.OutboxRow) {
	p.rows++
	for _, o := range row.Orders {
		p.orders = append(p.orders, pageOrder{o, row.Kind == sale.OutboxRefusal})
	}
	if row.Kind == sale.OutboxCredit {
		p.credits += row.Units
	}
}

// checkRow refuses a row that the database could not have written.
func checkRow(row *sale.OutboxRow) error {
	units := int64(0)
	for _, o := range row.Orders {
		units += int64(o.Quantity)
	}
	gives := row.Kind == sale.OutboxRelease || row.Kind == sale.OutboxRefusal
	switch {
	case gives && len(row.Orders) > 0 && len(row.Orders) <= MaxReleaseOrders && units == row.Units:
	case row.Kind == sale.OutboxCredit && len(row.Orders) == 0 && row.Units > 0:
	default:
		return fmt.Errorf("outbox row %d of bucket %s: %s of %d units with %d orders of %d units",
			row.Number, row.Bucket, row.Kind, row.Units, len(row.Orders), units)
	}
	return nil
}
