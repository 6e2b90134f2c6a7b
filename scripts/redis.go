package scripts

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"flashsale/sale"
	"flashsale/socket"
)

// Options are the address of Redis and how to connect to it.
type Options struct {
	Namespace string   // prefix of every key
	Addrs     []string // one server, some of a cluster, or Sentinels
	Username  string
	Password  string
	TLS       *tls.Config // nil: connections are not encrypted
	Embedded  bool        // miniredis: no RESP3, no cluster, no replication id

	Sentinel Sentinel

	Connections int // to each node, up to 256, rounded up to a power of two [2]
}

// Sentinel is how Redis Sentinel finds the primary. TLS is that of the servers.
type Sentinel struct {
	Master   string // name of the primary; empty: the addresses are those of the servers
	Username string
	Password string
}

// Bounds of the client.
const (
	maxInFlight      = 512 // calls and pipelines; below the ring of 1024 of rueidis, which ignores contexts when it is full
	maxPipeline      = 500 // commands in one pipeline
	embeddedPipeline = 50  // miniredis takes milliseconds for a script, and a piece must end within readTimeout
	dialTimeout      = time.Second
	writeTimeout     = 2 * time.Second // also bounds reads
	readTimeout      = 3 * time.Second // of every command but purchases, whose calls have their own
	silentAfter      = time.Second     // idle: the client then pings, and closes the connection after writeTimeout
	redialInterval   = 100 * time.Millisecond
	socketBuffer     = 1 << 17 // bytes, each way and connection

	// sentinelsAsked is how often the Sentinels are asked for the primary: their message about a switch may be missed, and a
	// primary that has become a replica keeps its connections open.
	sentinelsAsked = time.Second

	defaultConnections = 2 // a purchase need not wait for a long pipeline; more connections were not faster
)

// Redis is the client of one Redis, of one that Sentinels watch, or of one Redis Cluster. It connects at the first use, and again
// when that failed.
type Redis struct {
	options  Options
	inFlight chan struct{} // one element for each call in flight
	client   atomic.Pointer[rueidis.Client]
	owner    owner

	mu       sync.Mutex // locked while connecting
	closed   bool
	dialedAt time.Time
	dialErr  error
}

// Dial returns a client and does not connect yet. It returns an error for a missing or malformed option.
func Dial(o Options) (*Redis, error) {
	if len(o.Addrs) == 0 || o.Namespace == "" {
		return nil, errors.New("redis needs an address and a namespace")
	}
	for _, addr := range o.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("redis address %q: %w", addr, err)
		}
	}
	return &Redis{options: o, inFlight: make(chan struct{}, maxInFlight)}, nil
}

// NewRedis returns a client on a connection that the caller has made, as the simulator does; it ignores the addresses. Close
// closes the connection too.
func NewRedis(client rueidis.Client, o Options) *Redis {
	r := &Redis{options: o, inFlight: make(chan struct{}, maxInFlight)}
	r.client.Store(&client)
	return r
}

// Close ends the connections; calls after it fail.
func (r *Redis) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if client := r.client.Load(); client != nil {
		(*client).Close()
	}
}

// Ping asks the server for a sign of life; on a cluster, the node that rueidis picks.
func (r *Redis) Ping(ctx context.Context) error {
	err := r.do(ctx, func(c rueidis.Client) rueidis.Completed { return c.B().Ping().Build() }).Error()
	if err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// connected returns the connection, and connects when there is none: at most once in each redialInterval.
func (r *Redis) connected() (rueidis.Client, error) {
	if client := r.client.Load(); client != nil {
		return *client, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if client := r.client.Load(); client != nil {
		return *client, nil
	}
	if r.closed {
		return nil, fmt.Errorf("%w: the client is closed", ErrNotSent)
	}
	if r.dialErr != nil && time.Since(r.dialedAt) < redialInterval {
		return nil, r.dialErr
	}
	client, err := rueidis.NewClient(r.clientOption())
	r.dialedAt = time.Now()
	if err != nil {
		r.dialErr = fmt.Errorf("%w: connect to redis: %w", ErrNotSent, err)
		return nil, r.dialErr
	}
	r.client.Store(&client)
	return client, nil
}

// clientOption sets DisableRetry because a write that failed may have happened, and only the caller knows the ids to ask again
// with; and DisableCache because the client caches nothing, and the cache would cost 128 MiB per connection.
func (r *Redis) clientOption() rueidis.ClientOption {
	o := r.options
	option := rueidis.ClientOption{
		InitAddress: o.Addrs, Username: o.Username, Password: o.Password, ClientName: "flashsale", TLSConfig: o.TLS,
		Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: silentAfter}, DialCtxFn: socket.DialTCP,
		ConnWriteTimeout: writeTimeout, DisableRetry: true, DisableCache: true, AlwaysPipelining: true,
		ReadBufferEachConn: socketBuffer, WriteBufferEachConn: socketBuffer,
		ClientSetInfo:     rueidis.DisableClientSetInfo, // Redis 7.0 lacks it, so its ACL cannot grant it
		ForceSingleClient: o.Embedded, AlwaysRESP2: o.Embedded, PipelineMultiplex: multiplex(o.Connections),
	}
	if o.Sentinel.Master != "" {
		option.Sentinel = rueidis.SentinelOption{
			MasterSet: o.Sentinel.Master, Username: o.Sentinel.Username, Password: o.Sentinel.Password, ClientName: "flashsale",
			Dialer: option.Dialer, TLSConfig: o.TLS, TopologyRefreshInterval: sentinelsAsked,
		}
	}
	return option
}

// multiplex returns the option by which rueidis opens so many connections: the exponent of the next power of two, and -1 for
// one connection, because 0 is the library's default.
func multiplex(connections int) int {
	power := bits.Len(uint(cmp.Or(connections, defaultConnections) - 1))
	return cmp.Or(power, -1)
}

// enter counts a call in flight, and waits while maxInFlight are. Its error wraps ErrNotSent.
func (r *Redis) enter(ctx context.Context) error {
	select {
	case r.inFlight <- struct{}{}:
		return nil
	default:
	}
	select {
	case r.inFlight <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %d calls are in flight: %w", ErrNotSent, maxInFlight, ctx.Err())
	}
}

func (r *Redis) leave() { <-r.inFlight }

// do sends one command. readTimeout bounds it, and so does the number of calls in flight.
func (r *Redis) do(ctx context.Context, build func(rueidis.Client) rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	client, err := r.connected()
	if err != nil {
		return rueidis.NewErrorResult(err)
	}
	if err := r.enter(ctx); err != nil {
		return rueidis.NewErrorResult(err)
	}
	defer r.leave()
	return client.Do(ctx, build(client))
}

// pipeline sends n commands in pieces of maxPipeline and passes the results to each in order. It stops at the first error of
// each. Its errors name Redis (sale.Away).
func (r *Redis) pipeline(ctx context.Context, n int, build func(c rueidis.Client, i int) rueidis.Completed,
	each func(i int, result rueidis.RedisResult) error) (err error) {
	defer func() { err = sale.Away(sale.StoreRedis, err) }()
	client, err := r.connected()
	if err != nil {
		return err
	}
	size := maxPipeline
	if r.options.Embedded {
		size = embeddedPipeline
	}
	for from := 0; from < n; from += size {
		to := min(from+size, n)
		results, err := r.piece(ctx, client, from, to, build)
		if err != nil {
			return err
		}
		for i, result := range results {
			if err := each(from+i, result); err != nil {
				return err
			}
		}
	}
	return nil
}

// piece sends one piece of a pipeline.
func (r *Redis) piece(ctx context.Context, client rueidis.Client, from, to int,
	build func(c rueidis.Client, i int) rueidis.Completed) ([]rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.leave()
	commands := make([]rueidis.Completed, 0, to-from)
	for i := from; i < to; i++ {
		commands = append(commands, build(client, i))
	}
	return client.DoMulti(ctx, commands...), nil
}
