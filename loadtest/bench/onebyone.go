package bench

import (
	"fmt"
	"net"
	"strings"

	"github.com/redis/rueidis"
	"github.com/valyala/fasthttp"
)

// oneByOneScript takes a unit for a buyer without one: one set of buyers, one counter.
const oneByOneScript = `if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 0 end
if tonumber(redis.call('GET', KEYS[2]) or '0') <= 0 then return -1 end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('DECR', KEYS[2])
return 1`

// Keys of one SKU.
func oneByOneBuyers(sku string) string { return "onebyone:{" + sku + "}:buyers" }
func oneByOneStock(sku string) string  { return "onebyone:{" + sku + "}:stock" }

const (
	oneByOneUnits = "1000000000"
	// buyerBytes are the last bytes of the token, which stand for the buyer: they differ and have the length of a UUID.
	buyerBytes = 36
)

// skuOf returns the SKU in the path of a purchase, …/items/{sku}/orders.
func skuOf(path string) string {
	_, rest, _ := strings.Cut(path, "/items/")
	sku, _, _ := strings.Cut(rest, "/")
	return sku
}

// ServeOneByOne sells as most flash sales do: one script call per request, answered when Redis has answered. It
// verifies no token, has no rules, keeps no journal and sends nothing to Kafka. Its Redis client pipelines concurrent
// calls, which is more than most have. It returns when the listener is closed.
func ServeOneByOne(listener net.Listener, redis string) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redis}, DisableCache: true})
	if err != nil {
		return fmt.Errorf("serve one by one: %w", err)
	}
	defer client.Close()
	script := rueidis.NewLuaScript(oneByOneScript)
	return serve(listener, func(ctx *fasthttp.RequestCtx) {
		token := ctx.Request.Header.Peek(fasthttp.HeaderAuthorization)
		buyer := string(token[max(0, len(token)-buyerBytes):])
		sku := skuOf(string(ctx.Path()))
		taken, err := script.Exec(ctx, client, []string{oneByOneBuyers(sku), oneByOneStock(sku)}, []string{buyer}).AsInt64()
		switch {
		case err != nil:
			ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		case taken == 1:
			ctx.SetStatusCode(fasthttp.StatusAccepted)
		default:
			ctx.SetStatusCode(fasthttp.StatusConflict)
		}
	})
}
