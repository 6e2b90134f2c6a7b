package scripts

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
)

// ApplyWindow gives buckets the state, times and sale limit of their sale, unless they have newer ones. After it has returned
// nil no bucket sells by an older window: a bucket that Redis does not know sells nothing, and its rebuild reads the window
// from the database.
func (r *Redis) ApplyWindow(ctx context.Context, buckets []sale.Bucket, w sale.Window) error {
	if err := r.Doubt(); err != nil {
		return fmt.Errorf("apply window %d: %w", w.Version, err)
	}
	calls := make([]scriptCall, len(buckets))
	for i, b := range buckets {
		calls[i] = scriptCall{keys: []string{r.Keys(b).Meta}, args: windowArgs(w)}
	}
	err := r.runScripts(ctx, WindowScript(), calls, func(i int, reply rueidis.RedisMessage) error {
		word, err := reply.ToString()
		if err == nil && word != "applied" && word != "newer" && word != "absent" {
			err = fmt.Errorf("bucket %s: unexpected reply %q", buckets[i], word)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("apply window %d: %w", w.Version, err)
	}
	faults.Point("window.applied")
	return nil
}

// windowArgs are the five arguments that window.lua and load.lua share.
func windowArgs(w sale.Window) []string {
	return []string{
		strconv.FormatInt(w.Version, 10), string(w.State), strconv.FormatInt(w.StartsMS, 10),
		strconv.FormatInt(w.EndsMS, 10), strconv.Itoa(w.Limit),
	}
}
