package sim

import (
	"context"
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/redis/rueidis"
)

// redisClient is the client of one process: it looks like rueidis to the engine and sends commands over the model network.
// Methods that the engine does not use panic.
type redisClient struct {
	rueidis.Client
	wire *wire
}

var _ rueidis.Client = (*redisClient)(nil)

// B returns a builder of commands for one server. The library makes builders only for its own clients; a builder is one
// number, the slot of the first key, and this value of it means that slots do not matter.
func (c *redisClient) B() rueidis.Builder {
	const noSlot = 1 << 15
	var b rueidis.Builder
	*(*uint16)(unsafe.Pointer(&b)) = noSlot
	return b
}

func (c *redisClient) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	return c.DoMulti(ctx, command)[0]
}

func (c *redisClient) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	return c.on(ctx, c.wire.world.cache.active(), commands)
}

func (c *redisClient) on(ctx context.Context, server *redisServer, commands []rueidis.Completed) []rueidis.RedisResult {
	sent := make([][]string, len(commands))
	for i := range commands {
		sent[i] = commands[i].Commands()
	}
	replies, err := c.wire.redis(ctx, server, sent)
	results := make([]rueidis.RedisResult, len(commands))
	for i := range results {
		if i < len(replies) {
			results[i] = rueidis.NewResult(message(replies[i]), nil)
		} else {
			results[i] = rueidis.NewErrorResult(err)
		}
	}
	return results
}

func (c *redisClient) Dedicated(use func(rueidis.DedicatedClient) error) error {
	return use(dedicatedClient{redisClient: c, server: c.wire.world.cache.active()})
}

func (c *redisClient) Nodes() map[string]rueidis.Client {
	return map[string]rueidis.Client{"redis:6379": c}
}

func (c *redisClient) Mode() rueidis.ClientMode { return rueidis.ClientModeStandalone }
func (c *redisClient) Close()                   {}

// dedicatedClient is one connection, which ends with its server.
type dedicatedClient struct {
	rueidis.DedicatedClient
	*redisClient
	server *redisServer
}

func (d dedicatedClient) B() rueidis.Builder { return d.redisClient.B() }
func (d dedicatedClient) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	return d.DoMulti(ctx, command)[0]
}

func (d dedicatedClient) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	return d.on(ctx, d.server, commands)
}
func (d dedicatedClient) Close() {}

// message converts a reply to the library's form by the only constructor that the library exports: its form for caches.
func message(reply any) rueidis.RedisMessage {
	var m rueidis.RedisMessage
	if err := m.CacheUnmarshalView(appendMessage(make([]byte, 7, 64), reply)); err != nil {
		panic("a reply cannot be turned into a message: " + err.Error())
	}
	return m
}

func appendMessage(to []byte, reply any) []byte {
	head := func(kind byte, n int) []byte {
		return binary.BigEndian.AppendUint64(append(to, kind), uint64(n))
	}
	switch r := reply.(type) {
	case nil:
		return head('_', 0)
	case int64:
		return head(':', int(r))
	case string:
		return append(head('$', len(r)), r...)
	case status:
		return append(head('+', len(r)), r...)
	case redisFault:
		return append(head('-', len(r)), r...)
	case []any:
		to = head('*', len(r))
		for _, v := range r {
			to = appendMessage(to, v)
		}
		return to
	}
	panic("a reply of no kind that Redis has")
}

// keptPast is the longest time whose writes a server can lose.
const keptPast = 10 * time.Second
