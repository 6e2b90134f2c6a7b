package reserve

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Codes of the release script's reply.
const (
	codeDone  = "done"
	codeOlder = "older"
	codeLater = "later"
)

// releasePage is consecutive outbox rows of one bucket and epoch that one call of the release script applies.
type releasePage struct {
	bucket  sale.Bucket
	epoch   int64
	first   int64
	rows    int
	credits int64 // units
	orders  []pageOrder
}

// pageOrder is an order of a page. Of a refused one Redis remembers nothing.
type pageOrder struct {
	sale.ReleasedOrder
	refused bool
}

const (
	releaseOrders = 1000 // orders in one call; a row never has more
	releaseRows   = 1000
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
	return row.Epoch == p.epoch && row.Number == p.first+int64(p.rows) && p.rows < releaseRows &&
		(p.rows == 0 || len(p.orders)+len(row.Orders) <= releaseOrders)
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
	case gives && len(row.Orders) > 0 && len(row.Orders) <= releaseOrders && units == row.Units:
	case row.Kind == sale.OutboxCredit && len(row.Orders) == 0 && row.Units > 0:
	default:
		return fmt.Errorf("outbox row %d of bucket %s: %s of %d units with %d orders of %d units",
			row.Number, row.Bucket, row.Kind, row.Units, len(row.Orders), units)
	}
	return nil
}

// args are the script's, as scripts/release.lua describes them. highest is the highest sequence seen in the epoch.
func (p *releasePage) args(highest int64) []string {
	n := len(p.orders)
	args := make([]string, 5+3*n)
	for i, number := range []int64{p.epoch, highest, p.first, int64(p.rows), p.credits} {
		args[i] = strconv.FormatInt(number, 10)
	}
	for i, o := range p.orders {
		args[5+i] = o.Buyer
		args[5+n+i] = string(appendHead(nil, o.OrderID, o.Quantity))
		if args[5+2*n+i] = strconv.Itoa(o.Quantity); o.refused {
			args[5+2*n+i] = "-" + args[5+2*n+i]
		}
	}
	return args
}

// releaseReply is the script's answer.
type releaseReply struct {
	code, detail            string
	epoch, sequence, number int64
}

// decodeRelease reads it. A server without the script answers fenced, as with the reserve script.
func decodeRelease(result rueidis.RedisResult) (releaseReply, error) {
	if lacksIt(result) {
		return releaseReply{code: codeFenced, detail: detailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return releaseReply{}, err
	}
	if len(values) != 5 {
		return releaseReply{}, fmt.Errorf("release script answered %d values, not 5", len(values))
	}
	fields := fieldReader{values: values}
	reply := releaseReply{
		code: fields.text(0), detail: fields.text(1), epoch: fields.number(2), sequence: fields.number(3), number: fields.number(4),
	}
	switch reply.code {
	case codeDone, codeOlder, codeLater, codeFenced:
		return reply, fields.err
	}
	return reply, errors.Join(fields.err, fmt.Errorf("release script answered %q", reply.code))
}
