package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
	"flashsale/tracing"
)

// Catalogue reads sales, buckets, rules and lists of buyers from the database.
type Catalogue interface {
	// Changes returns what changed since a version; it must be cheap if nothing changed.
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	// EachListed calls each with every buyer on the present list of a sale.
	EachListed(ctx context.Context, saleID string, each func(buyer string) error) error
}

// Stock decides purchases and reads the orders of a bucket in Redis.
type Stock interface {
	// Reserve blocks and always answers, within 5 s.
	Reserve(p sale.Purchase) sale.Answer
	// Holdings returns a buyer's orders in a bucket that Redis has, settled or not.
	Holdings(ctx context.Context, b sale.Bucket, buyer string) ([]sale.Holding, error)
	// Owners calls each with every buyer who owns a unit in the bucket, and the numbers of the items of those units.
	Owners(ctx context.Context, b sale.Bucket, each func(buyer string, numbers []int) error) error
	// SoldOut reports whether no bucket of the sale has units of the SKU and no transfer brings any to one.
	SoldOut(ctx context.Context, buckets []sale.Bucket, sku string) (bool, error)
	// Now returns the time by Redis's clock, the zero time before the first answer of Redis. Only this clock opens and
	// closes sales.
	Now() time.Time
}

// Levels reads buckets in one round trip; the readings are in the order of the buckets.
type Levels interface {
	// Readings reads buckets without their stock.
	Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
	// StockReadings reads buckets with the stock of the SKUs, in their order.
	StockReadings(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error)
}

// Orders reads order rows, and orders in waiting dead letters.
type Orders interface {
	Orders(ctx context.Context, ids []sale.OrderID) ([]sale.Order, error)
	// BuyerOrders returns a buyer's orders in a sale with ids above after, sorted by id, the first limit of them: those that
	// contain the SKU, all of them for an empty one.
	BuyerOrders(ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int) ([]sale.Order, error)
}

// Deps are the dependencies of a Gateway; all are required except Checks, Heartbeat and Tracer.
type Deps struct {
	Catalogue  Catalogue
	Stock      Stock
	Levels     Levels
	Orders     Orders
	Cancels    Cancels
	Breakers   *Breakers
	Checks     func() map[string]string // what other parts of the process still wait for, shown by /readyz
	Registerer prometheus.Registerer
	Tracer     *tracing.Tracer // nil: no spans

	// Heartbeat writes which version of the catalogue this gateway uses; nil: the gateway does not write it.
	Heartbeat func(ctx context.Context, version int64) error
}

// Options are the bounds and settings of a Gateway. A zero number takes its default.
type Options struct {
	Keys           KeySource
	Issuer         string         // required `iss`, empty: any
	Audience       string         // required `aud`, empty: any
	MaxLifetime    time.Duration  // longest time from now to the `exp` of a token
	TrustedProxies []netip.Prefix // proxies whose X-Forwarded-For the gateway trusts
	Log            *slog.Logger
	AccessLogEvery int // one request in so many, chosen at random, gets a line in the log; 0: none

	// Pages answers GET and HEAD of the paths that the API does not have; nil: they are 404, as always in production.
	Pages http.Handler

	MaxConnections int // open connections; one more gets 503 overloaded and is closed
	MaxInFlight    int // purchases in progress; one more gets 503 overloaded
	MaxReads       int // look-ups of orders in progress; one more gets 503 overloaded
	MaxWaiters     int // requests that wait for an order; one more gets the present order at once
	TokenCache     int // cached tokens; a newer token replaces an older one
	LimitEntries   int // buyers, and as many addresses, in the tables of the limits; a new one replaces the longest idle

	ReadTimeout  time.Duration // for a whole request
	WriteTimeout time.Duration // for a whole answer
	IdleTimeout  time.Duration // between two requests of a connection
	StoreTimeout time.Duration // for one look-up in the database or in Redis

	// FarewellTime is how long the gateway still accepts connections after the call of Shutdown. Meanwhile proxies see that
	// readiness has ended, and until its last quarter every answer closes its connection, so that Shutdown cuts off few idle
	// connections.
	FarewellTime time.Duration
}

// Bounds of requests, which docs/buyers.md states.
const (
	maxBodyBytes       = 4 << 10
	maxHeaderBytes     = 8 << 10
	maxRequestsPerConn = 1_000_000
	maxWait            = 30 * time.Second
)

// Periods of the background roles.
const (
	pollInterval = 100 * time.Millisecond // catalogue and rules
	calmInterval = 300 * time.Millisecond // catalogue and rules, after calmPolls without a request or a change
	calmPolls    = 20
	lookInterval = 100 * time.Millisecond // sold-out latches
	waitInterval = 25 * time.Millisecond  // orders with a waiting request
)

// withDefaults returns the options with every number set, or an error that names all faults.
func (o Options) withDefaults() (Options, error) {
	var faults []error
	number := func(name string, value *int, fallback int) {
		if *value == 0 {
			*value = fallback
		}
		if *value < 0 {
			faults = append(faults, fmt.Errorf("%s must be positive, got %d", name, *value))
		}
	}
	period := func(name string, value *time.Duration, fallback time.Duration) {
		if *value == 0 {
			*value = fallback
		}
		if *value < 0 {
			faults = append(faults, fmt.Errorf("%s must be positive, got %s", name, *value))
		}
	}
	number("connections", &o.MaxConnections, 100_000)
	number("purchases in flight", &o.MaxInFlight, 20_000)
	number("look-ups in flight", &o.MaxReads, 4_000)
	number("waiting requests", &o.MaxWaiters, 20_000)
	number("token cache", &o.TokenCache, 1<<16)
	number("limit entries", &o.LimitEntries, 1<<17)
	period("tokens' lifetime", &o.MaxLifetime, 24*time.Hour)
	period("read timeout", &o.ReadTimeout, 10*time.Second)
	period("write timeout", &o.WriteTimeout, 10*time.Second)
	period("idle timeout", &o.IdleTimeout, 75*time.Second)
	period("store timeout", &o.StoreTimeout, time.Second)
	if o.Keys == nil {
		faults = append(faults, errors.New("a source of token keys is required"))
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o, errors.Join(faults...)
}

func (d Deps) check() error {
	if d.Catalogue == nil || d.Stock == nil || d.Levels == nil || d.Orders == nil || d.Cancels == nil || d.Breakers == nil ||
		d.Registerer == nil {
		return errors.New("gateway: a dependency is missing")
	}
	return nil
}
