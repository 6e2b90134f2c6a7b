package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// CloseBuckets stops buckets from selling. It returns the rows that are closed or unknown to Redis, and apart from them the
// rows of buckets that Redis has in a later epoch, which it leaves as they are.
func (r *Redis) CloseBuckets(ctx context.Context, rows []sale.BucketRow) (closed, newer []sale.BucketRow, err error) {
	calls := make([]scriptCall, len(rows))
	for i, row := range rows {
		calls[i] = scriptCall{keys: []string{r.Keys(row.Bucket).Meta}, args: []string{fmt.Sprint(row.Epoch)}}
	}
	err = r.runScripts(ctx, CloseScript(), calls, func(i int, reply rueidis.RedisMessage) error {
		word, err := reply.ToString()
		if word == "newer" {
			newer = append(newer, rows[i])
		} else {
			closed = append(closed, rows[i])
		}
		return err
	})
	return closed, newer, err
}
