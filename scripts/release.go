package scripts

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Codes of the release script's reply.
const (
	CodeDone  = "done"
	codeOlder = "older"
	codeLater = "later"
)

// ReleasePage is a run of consecutive outbox rows of one bucket and epoch. One call of the release script applies it. A take is
// the only row of its page, and the caller marks it as applied in the database before it sends the bucket's next page: Redis
// remembers what the last take found, and no earlier one.
type ReleasePage struct {
	Bucket sale.Bucket
	Epoch  int64
	First  int64
	Rows   int
	Gains  []sale.OutboxLine // of the credits and raises among the rows; a SKU may occur more than once
	Take   []sale.OutboxLine // of a take, distinct SKUs; then Gains and Orders are empty and Rows is 1
	Orders []PageOrder
}

// Last returns the number of the page's last row.
func (p *ReleasePage) Last() int64 { return p.First + int64(p.Rows) - 1 }

// PageOrder is an order of a page. Redis forgets a refused order.
type PageOrder struct {
	sale.ReleasedOrder
	Refused bool
}

// Bounds of one call of the release script.
const (
	MaxReleaseOrders = 1000 // a row never has more
	MaxReleaseRows   = 1000
	MaxReleaseLines  = 2000 // lines of the rows and the orders together
)

// releaseFixed is the number of arguments before the columns.
const releaseFixed = 7

// Args returns the arguments of the script, in the order that release.lua describes. highest is the highest sequence seen in
// the epoch.
func (p *ReleasePage) Args(highest int64) []string {
	gains := p.gains()
	s, n := len(gains), len(p.Orders)
	args := make([]string, releaseFixed+3*s+2*n)
	for i, number := range []int64{p.Epoch, highest, p.First, int64(p.Rows)} {
		args[i] = strconv.FormatInt(number, 10)
	}
	args[4], args[5], args[6] = flag(len(p.Take) > 0), strconv.Itoa(s), strconv.Itoa(n)
	columns := args[releaseFixed:]
	for i, g := range gains {
		columns[i], columns[s+i] = g.SKU, strconv.FormatInt(g.Units, 10)
		if g.Number > 0 {
			columns[2*s+i] = fmt.Sprintf("%d %d", g.Limit, g.Number)
		}
	}
	columns = columns[3*s:]
	for i, o := range p.Orders {
		columns[i], columns[n+i] = o.Buyer, strconv.FormatInt(int64(o.OrderID), idBase)
		if o.Refused {
			columns[n+i] = "-" + columns[n+i]
		}
	}
	return args
}

// gains returns the units of the page by SKU: of a take those asked; otherwise those of credits and raises, with the number of
// the item, and those of the orders.
func (p *ReleasePage) gains() []sale.OutboxLine {
	if len(p.Take) > 0 {
		return p.Take
	}
	var gains []sale.OutboxLine
	at := map[string]int{}
	add := func(line sale.OutboxLine) {
		i, known := at[line.SKU]
		if !known {
			at[line.SKU], gains = len(gains), append(gains, line)
			return
		}
		gains[i].Units += line.Units
	}
	for _, line := range p.Gains { // before the orders: these lines have numbers
		add(line)
	}
	for _, o := range p.Orders {
		for _, line := range o.Lines {
			add(sale.OutboxLine{SKU: line.SKU, Units: int64(line.Quantity)})
		}
	}
	return gains
}

// ReleaseReply is the script's reply.
type ReleaseReply struct {
	Code, Detail            string
	epoch, Sequence, Number int64
	// of a take that is applied, and no later one: units found of each SKU, which may be 0
	Took []sale.SKUUnits
}

// decodeRelease decodes the reply to a page. Like the reserve script, a server without the script answers fenced.
func decodeRelease(p *ReleasePage, result rueidis.RedisResult) (ReleaseReply, error) {
	if lacksIt(result) {
		return ReleaseReply{Code: CodeFenced, Detail: DetailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return ReleaseReply{}, err
	}
	if len(values) != 6 {
		return ReleaseReply{}, fmt.Errorf("release script answered %d values, not 6", len(values))
	}
	fields := fieldReader{values: values}
	reply := ReleaseReply{
		Code: fields.text(0), Detail: fields.text(1), epoch: fields.number(2), Sequence: fields.number(3),
		Number: fields.number(4),
	}
	switch reply.Code {
	case CodeDone, codeOlder, codeLater, CodeFenced:
	default:
		return reply, errors.Join(fields.err, fmt.Errorf("release script answered %q", reply.Code))
	}
	if found := fields.text(5); reply.Code == CodeDone && len(p.Take) > 0 && (found != "" || reply.Number == p.Last()) {
		reply.Took, err = p.took(found)
	}
	return reply, errors.Join(fields.err, err)
}

// took reads what a take found: a number for each line, joined by a comma.
func (p *ReleasePage) took(text string) ([]sale.SKUUnits, error) {
	found := strings.Split(text, ",")
	if len(found) != len(p.Take) {
		return nil, fmt.Errorf("a take of %d SKUs found %.80q", len(p.Take), text)
	}
	took := make([]sale.SKUUnits, len(found))
	for i := range found {
		units, err := strconv.ParseInt(found[i], 10, 64)
		if err != nil || units < 0 || units > p.Take[i].Units {
			return nil, fmt.Errorf("a take of %d units of %s found %.20q", p.Take[i].Units, p.Take[i].SKU, found[i])
		}
		took[i] = sale.SKUUnits{SKU: p.Take[i].SKU, Units: units}
	}
	return took, nil
}

// Release calls the script for every page, pipelined, and passes the replies to each in order. seen returns the highest
// sequence that the caller has seen in the page's epoch. Release stops at the first error; each has then received the replies
// before it.
func (r *Redis) Release(ctx context.Context, pages []ReleasePage, seen func(*ReleasePage) int64,
	each func(*ReleasePage, ReleaseReply)) error {
	script := ReleaseScript()
	for from, to := 0, 0; from < len(pages); from = to {
		for args := 0; to < len(pages) && args < maxScriptArgs; to++ {
			args += pages[to].size()
		}
		piece := pages[from:to]
		err := r.pipeline(ctx, len(piece), func(cl rueidis.Client, i int) rueidis.Completed {
			keys := r.Keys(piece[i].Bucket)
			return cl.B().Evalsha().Sha1(script.SHA).Numkeys(3).Key(keys.Meta, keys.Stock, keys.Buyers).
				Arg(piece[i].Args(seen(&piece[i]))...).Build()
		}, func(i int, result rueidis.RedisResult) error {
			reply, err := decodeRelease(&piece[i], result)
			if err != nil {
				return fmt.Errorf("apply outbox rows from %d of bucket %s: %w", piece[i].First, piece[i].Bucket, err)
			}
			each(&piece[i], reply)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// size is at least the number of the page's arguments.
func (p *ReleasePage) size() int {
	size := releaseFixed + 3*(len(p.Gains)+len(p.Take)) + 2*len(p.Orders)
	for i := range p.Orders {
		size += 3 * len(p.Orders[i].Lines)
	}
	return size
}
