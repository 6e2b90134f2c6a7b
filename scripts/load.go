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

// Load is step (f) of a rebuild: it loads every bucket's units and buyers, and opens the bucket last, if all buyers have
// arrived (rule: load-counted). It does not report a bucket that was not loaded: step (g), verify, finds it. Its error wraps
// sale.ErrForeign when a key of a bucket is another program's.
func (r *Redis) Load(ctx context.Context, loads []sale.Load) error {
	var begins, buyers, opens []scriptCall
	for _, load := range loads {
		step := r.loadSteps(load)
		begins, opens = append(begins, step.begin), append(opens, step.open)
		buyers = append(buyers, step.buyers...)
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
	if err := r.runScripts(ctx, LoadScript(), buyers, nil); err != nil {
		return err
	}
	faults.Point("rebuild.buyers-loaded")
	return r.runScripts(ctx, LoadScript(), opens, nil)
}

// loadSteps are the calls of load.lua for one bucket.
type loadSteps struct {
	begin, open scriptCall
	buyers      []scriptCall
}

func (r *Redis) loadSteps(load sale.Load) loadSteps {
	keys := r.Keys(load.Bucket)
	call := func(step string, args ...string) scriptCall {
		return scriptCall{
			keys: []string{keys.Meta, keys.Buyers, keys.Journal},
			args: append([]string{step, fmt.Sprint(load.Epoch)}, args...),
		}
	}
	begin := append([]string{fmt.Sprint(load.Available)}, windowArgs(load.Window)...)
	begin = append(begin, flag(!r.options.Embedded), fmt.Sprint(load.Outbox))
	pairs := buyersOf(load.Owners, load.Released)
	steps := loadSteps{begin: call("begin", begin...), open: call("open", fmt.Sprint(len(pairs)/2))}
	for from := 0; from < len(pairs); from += loadChunk {
		steps.buyers = append(steps.buyers, call("buyers", pairs[from:min(from+loadChunk, len(pairs))]...))
	}
	return steps
}
