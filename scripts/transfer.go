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

// Codes of the transfer script's reply beside those of the reserve script.
const (
	CodeNone = "none"
	CodeFull = "full"
)

// TransferCall is one call of the transfer script; transfer.lua describes its arguments.
type TransferCall struct {
	Keys       BucketKeys
	Head       string // SALE NUMBER of the giving bucket
	Epoch      int64
	Highest    int64 // sequence seen in the epoch
	DeadlineMS int64 // by Redis's clock, Unix milliseconds
	MaxJournal int   // orders
	ID         sale.OrderID
	To         int            // number of the receiving bucket
	Wants      []TransferWant // 1 to sale.MaxTransferSKUs, of distinct SKUs
}

// TransferWant is what the receiving bucket needs of one SKU.
type TransferWant struct {
	SKU   string
	Asked int64 // units that the receiving bucket needs at least
	Kept  int64 // units that stay
}

func (c *TransferCall) arguments() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	n := len(c.Wants)
	args := make([]string, 7+3*n)
	copy(args, []string{
		number(c.Epoch), number(c.Highest), number(c.DeadlineMS), strconv.Itoa(c.MaxJournal), c.Head, c.ID.String(),
		strconv.Itoa(c.To),
	})
	for i, want := range c.Wants {
		args[7+i], args[7+n+i], args[7+2*n+i] = want.SKU, number(want.Asked), number(want.Kept)
	}
	return args
}

// TransferReply is the script's reply.
type TransferReply struct {
	Code     string
	Detail   string
	Epoch    int64
	Sequence int64
	NowMS    int64
	Units    []sale.SKUUnits // taken by this call, of the SKUs of which it took any
	Moved    []sale.SKUUnits // of the same SKUs: units that transfers have taken in this epoch, including these
	EntryID  string
	Record   string
}

// Transfer calls the script once. Like the reserve script, a server without it answers fenced.
func (r *Redis) Transfer(ctx context.Context, call *TransferCall) (TransferReply, error) {
	result := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Evalsha().Sha1(TransferScript().SHA).Numkeys(3).Key(call.Keys.Meta, call.Keys.Stock, call.Keys.Journal).
			Arg(call.arguments()...).Build()
	})
	return decodeTransfer(result)
}

func decodeTransfer(result rueidis.RedisResult) (TransferReply, error) {
	if lacksIt(result) {
		return TransferReply{Code: CodeFenced, Detail: DetailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return TransferReply{}, err
	}
	if len(values) != 9 {
		return TransferReply{}, fmt.Errorf("transfer script answered %d values, not 9", len(values))
	}
	fields := fieldReader{values: values}
	reply := TransferReply{
		Code: fields.text(0), Detail: fields.text(1), Epoch: fields.number(2), Sequence: fields.number(3),
		NowMS: fields.number(4), EntryID: fields.text(7), Record: fields.text(8),
	}
	err = errors.Join(fields.err, reply.readUnits(fields.text(5), fields.text(6)))
	return reply, err
}

// readUnits reads the units taken, in the form of a record, and the moved counters of the same SKUs; "" for none.
func (r *TransferReply) readUnits(units, moved string) error {
	if units == "" {
		return nil
	}
	taken, ok := sale.ParseUnits(units)
	totals := strings.Split(moved, ",")
	if !ok || len(totals) != len(taken) {
		return fmt.Errorf("transfer script answered units %.80q, moved %.80q", units, moved)
	}
	r.Units = taken
	for i := range taken {
		total, err := strconv.ParseInt(totals[i], 10, 64)
		if err != nil {
			return fmt.Errorf("transfer script answered moved %.80q: %w", moved, err)
		}
		r.Moved = append(r.Moved, sale.SKUUnits{SKU: taken[i].SKU, Units: total})
	}
	return nil
}
