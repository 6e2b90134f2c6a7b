package scripts

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
)

// loadChunk bounds the values of one HSET: Lua's unpack takes no more than some thousand.
const loadChunk = 1000

// Load is step (f) of a rebuild: it loads every bucket's units and buyers, and opens the bucket last, if all SKUs and buyers have
// arrived (rule: load-counted). It does not report a bucket that was not loaded: step (g), verify, finds it. Its error wraps
// sale.ErrForeign when a key of a bucket is another program's.
func (r *Redis) Load(ctx context.Context, loads []sale.Load) error {
	var begins, chunks, opens []scriptCall
	for _, load := range loads {
		step := r.loadSteps(load)
		begins, opens = append(begins, step.begin), append(opens, step.open)
		chunks = append(append(chunks, step.stock...), step.buyers...)
	}
	err := r.runScripts(ctx, LoadScript(), begins, func(i int, reply rueidis.RedisMessage) error {
		word, err := reply.ToString()
		if key, foreign := strings.CutPrefix(word, "foreign "); foreign {
			return foreignKey("key " + r.Keys(loads[i].Bucket).named(key))
		}
		return err
	})
	if err != nil {
		return err
	}
	faults.Point("rebuild.load-begun")
	if err := r.runScripts(ctx, LoadScript(), chunks, nil); err != nil {
		return err
	}
	faults.Point("rebuild.buyers-loaded")
	return r.runScripts(ctx, LoadScript(), opens, nil)
}

// loadSteps are the calls of load.lua for one bucket.
type loadSteps struct {
	begin, open   scriptCall
	stock, buyers []scriptCall
}

func (r *Redis) loadSteps(load sale.Load) loadSteps {
	keys := r.Keys(load.Bucket)
	call := func(step string, args ...string) scriptCall {
		return scriptCall{
			keys: keys.all(),
			args: append([]string{step, fmt.Sprint(load.Epoch)}, args...),
		}
	}
	chunks := func(step string, pairs []string) (calls []scriptCall) {
		for from := 0; from < len(pairs); from += loadChunk {
			calls = append(calls, call(step, pairs[from:min(from+loadChunk, len(pairs))]...))
		}
		return calls
	}
	stock, buyers := stockOf(load.Stock), buyersOf(load.Owners, load.Released)
	return loadSteps{
		begin: call("begin", append(windowArgs(load.Window), flag(!r.options.Embedded), fmt.Sprint(load.Outbox))...),
		stock: chunks("stock", stock), buyers: chunks("buyers", buyers),
		open: call("open", fmt.Sprint(len(stock)/2), fmt.Sprint(len(buyers)/2)),
	}
}

// stockOf builds the pairs (SKU, value) of the stock hash; see reserve.lua.
func stockOf(shelves []sale.ShelfLoad) []string {
	pairs := make([]string, 0, 2*len(shelves))
	for _, s := range shelves {
		pairs = append(pairs, s.SKU, fmt.Sprintf("%d 0 %d %d 0 0", s.Available, s.Limit, s.Number))
	}
	return pairs
}
