package scripts

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// Codes of the release script's reply.
const (
	CodeDone  = "done"
	codeOlder = "older"
	codeLater = "later"
)

// ReleasePage is a run of consecutive outbox rows of one bucket and epoch. One call of the release script applies it.
type ReleasePage struct {
	Bucket  sale.Bucket
	Epoch   int64
	First   int64
	Rows    int
	Credits int64 // units of the transfers among the rows
	Orders  []PageOrder
}

// PageOrder is an order of a page. Redis forgets a refused order.
type PageOrder struct {
	sale.ReleasedOrder
	Refused bool
}

// Bounds of one call of the release script.
const (
	MaxReleaseOrders = 1000 // a row never has more
	MaxReleaseRows   = 1000
)

// Args returns the arguments of the script, in the order that release.lua describes. highest is the highest sequence seen in
// the epoch.
func (p *ReleasePage) Args(highest int64) []string {
	n := len(p.Orders)
	args := make([]string, 5+3*n)
	for i, number := range []int64{p.Epoch, highest, p.First, int64(p.Rows), p.Credits} {
		args[i] = strconv.FormatInt(number, 10)
	}
	for i, o := range p.Orders {
		args[5+i] = o.Buyer
		args[5+n+i] = string(appendHead(nil, o.OrderID, o.Quantity))
		if args[5+2*n+i] = strconv.Itoa(o.Quantity); o.Refused {
			args[5+2*n+i] = "-" + args[5+2*n+i]
		}
	}
	return args
}

// ReleaseReply is the script's reply.
type ReleaseReply struct {
	Code, Detail            string
	epoch, Sequence, Number int64
}

// decodeRelease decodes a reply. Like the reserve script, a server without the script answers fenced.
func decodeRelease(result rueidis.RedisResult) (ReleaseReply, error) {
	if lacksIt(result) {
		return ReleaseReply{Code: CodeFenced, Detail: DetailNoScript}, nil
	}
	values, err := result.ToArray()
	if err != nil {
		return ReleaseReply{}, err
	}
	if len(values) != 5 {
		return ReleaseReply{}, fmt.Errorf("release script answered %d values, not 5", len(values))
	}
	fields := fieldReader{values: values}
	reply := ReleaseReply{
		Code: fields.text(0), Detail: fields.text(1), epoch: fields.number(2), Sequence: fields.number(3),
		Number: fields.number(4),
	}
	switch reply.Code {
	case CodeDone, codeOlder, codeLater, CodeFenced:
		return reply, fields.err
	}
	return reply, errors.Join(fields.err, fmt.Errorf("release script answered %q", reply.Code))
}

// Release calls the script for every page, pipelined, and passes the replies to each in order. seen returns the highest
// sequence that the caller has seen in the page's epoch. Release stops at the first error; each has then received the replies
// before it.
func (r *Redis) Release(ctx context.Context, pages []ReleasePage, seen func(*ReleasePage) int64,
	each func(*ReleasePage, ReleaseReply)) error {
	script := ReleaseScript()
	for from, to := 0, 0; from < len(pages); from = to {
		for args := 0; to < len(pages) && args < maxScriptArgs; to++ {
			args += 5 + 3*len(pages[to].Orders)
		}
		piece := pages[from:to]
		err := r.pipeline(ctx, len(piece), func(cl rueidis.Client, i int) rueidis.Completed {
			keys := r.Keys(piece[i].Bucket)
			return cl.B().Evalsha().Sha1(script.SHA).Numkeys(2).Key(keys.Meta, keys.Buyers).
				Arg(piece[i].Args(seen(&piece[i]))...).Build()
		}, func(i int, result rueidis.RedisResult) error {
			reply, err := decodeRelease(result)
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
