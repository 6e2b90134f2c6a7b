package reserve

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/sale"
	"flashsale/scripts"
)

// transferCall is one call of the transfer script, as scripts/transfer.lua describes its arguments.
type transferCall struct {
	keys       bucketKeys
	head       string // SALE SKU NUMBER of the giving bucket
	epoch      int64
	highest    int64
	deadlineMS int64
	maxJournal int
	ID         sale.OrderID
	to         int
	asked      int64 // units that the receiving bucket needs at least
	kept       int64 // units that stay
}

func (c *transferCall) arguments() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{
		number(c.epoch), number(c.highest), number(c.deadlineMS), strconv.Itoa(c.maxJournal), c.head, c.ID.String(),
		strconv.Itoa(c.to), number(c.asked), number(c.kept),
	}
}

// transferReply is the script's answer.
type transferReply struct {
	code     string
	detail   string
	epoch    int64
	sequence int64
	nowMS    int64
	units    int64
	moved    int64 // units that transfers have taken in this epoch, these included
	entryID  string
	record   string
}

// transfer calls the script. As with reserve, a server without it answers fenced.
func (r *Redis) transfer(ctx context.Context, call *transferCall) (transferReply, error) {
	result := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Evalsha().Sha1(scripts.TransferScript().SHA).Numkeys(2).Key(call.keys.meta, call.keys.journal).
			Arg(call.arguments()...).Build()
	})
	return decodeTransfer(result)
}

func decodeTransfer(result rueidis.RedisResult) (transferReply, error) {
	if lacksIt(result) {
		return transferReply{code: codeFenced, detail: detailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return transferReply{}, err
	}
	if len(values) != 9 {
		return transferReply{}, fmt.Errorf("transfer script answered %d values, not 9", len(values))
	}
	fields := fieldReader{values: values}
	reply := transferReply{
		code: fields.text(0), detail: fields.text(1), epoch: fields.number(2), sequence: fields.number(3),
		nowMS: fields.number(4), units: fields.number(5), moved: fields.number(6), entryID: fields.text(7),
		record: fields.text(8),
	}
	return reply, fields.err
}
