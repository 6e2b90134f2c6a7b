package reserve

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/sale"
	"flashsale/scripts"
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
	MaxReleaseOrders = 1000 // orders in one call; a row never has more
	MaxReleaseRows   = 1000
)

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

// release calls the script for every page, pipelined, and hands the replies over in order. seen returns the highest sequence
// that was seen in the page's epoch.
func (r *Redis) release(ctx context.Context, pages []releasePage, seen func(*releasePage) int64,
	each func(*releasePage, releaseReply)) error {
	script := scripts.ReleaseScript()
	for from, to := 0, 0; from < len(pages); from = to {
		for args := 0; to < len(pages) && args < maxScriptArgs; to++ {
			args += 5 + 3*len(pages[to].orders)
		}
		piece := pages[from:to]
		err := r.pipeline(ctx, len(piece), func(cl rueidis.Client, i int) rueidis.Completed {
			keys := r.keys(piece[i].bucket)
			return cl.B().Evalsha().Sha1(script.SHA).Numkeys(2).Key(keys.meta, keys.buyers).
				Arg(piece[i].args(seen(&piece[i]))...).Build()
		}, func(i int, result rueidis.RedisResult) error {
			reply, err := decodeRelease(result)
			if err != nil {
				return fmt.Errorf("apply outbox rows from %d of bucket %s: %w", piece[i].first, piece[i].bucket, err)
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
