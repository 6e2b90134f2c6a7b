package scripts

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// TransferCall is one call of the transfer script; transfer.lua describes its arguments.
type TransferCall struct {
	Keys       BucketKeys
	Head       string // SALE SKU NUMBER of the giving bucket
	Epoch      int64
	Highest    int64 // sequence seen in the epoch
	DeadlineMS int64 // by Redis's clock, Unix milliseconds
	MaxJournal int   // orders
	ID         sale.OrderID
	To         int   // number of the receiving bucket
	Asked      int64 // units that the receiving bucket needs at least
	Kept       int64 // units that stay
}

func (c *TransferCall) arguments() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{
		number(c.Epoch), number(c.Highest), number(c.DeadlineMS), strconv.Itoa(c.MaxJournal), c.Head, c.ID.String(),
		strconv.Itoa(c.To), number(c.Asked), number(c.Kept),
	}
}

// TransferReply is the script's reply.
type TransferReply struct {
	Code     string
	Detail   string
	Epoch    int64
	Sequence int64
	NowMS    int64
	Units    int64
	Moved    int64 // units that transfers have taken in this epoch, including these
	EntryID  string
	Record   string
}

// Transfer calls the script once. Like the reserve script, a server without it answers fenced.
func (r *Redis) Transfer(ctx context.Context, call *TransferCall) (TransferReply, error) {
	result := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Evalsha().Sha1(TransferScript().SHA).Numkeys(2).Key(call.Keys.Meta, call.Keys.Journal).
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
		NowMS: fields.number(4), Units: fields.number(5), Moved: fields.number(6), EntryID: fields.text(7),
		Record: fields.text(8),
	}
	return reply, fields.err
}
