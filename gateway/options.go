package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// Catalogue reads sales, buckets, rules and lists of buyers from the database.
type Catalogue interface {
	// Changes returns what changed since a version; it must be cheap when nothing did.
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	// EachListed calls each with every buyer on the sale's present list.
	EachListed(ctx context.Context, saleID string, each func(buyer string) error) error
}

// Stock decides purchases and knows the buyers of a bucket.
type Stock interface {
	// Reserve blocks and always answers, within 5 s.
	Reserve(p sale.Purchase) sale.Answer
	// Holdings returns what Redis knows of a buyer's orders in a bucket, settled or not.
	Holdings(ctx context.Context, b sale.Bucket, buyer string) ([]sale.Holding, error)
	// Owners calls each with every buyer who holds a unit of the bucket.
	Owners(ctx context.Context, b sale.Bucket, each func(buyer string) error) error
	// SoldOut reports whether nothing is left in any of a SKU's buckets and nothing is on its way to one.
	SoldOut(ctx context.Context, buckets []sale.Bucket) (bool, error)
	// Now is Redis's clock, the zero time while Redis has never told it. Sales open and close by this clock alone.
	Now() time.Time
}

// Levels reads buckets in one trip, in the order asked.
type Levels interface {
	Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
}

// Orders reads order rows, and orders that wait in the dead letters.
type Orders interface {
	Orders(ctx context.Context, ids []sale.OrderID) ([]sale.Order, error)
	// BuyerOrders returns a buyer's orders of a SKU with ids above after, sorted by id, the first limit of them.
	BuyerOrders(ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int) ([]sale.Order, error)
}

// Deps are the parts that a Gateway works with; all are required except Checks and Heartbeat.
type Deps struct {
	Catalogue  Catalogue
	Stock      Stock
	Levels     Levels
	Orders     Orders
	Cancels    Cancels
	Breakers   *Breakers
	Checks     func() map[string]string // what other parts of the process still wait for, shown by /readyz
	Registerer prometheus.Registerer

	// Heartbeat writes which version of the catalogue this gateway sells by; nil: it is written nowhere.
	Heartbeat func(ctx context.Context, version int64) error
}

// Options are the bounds and settings of a Gateway. A zero number takes its default.
type Options struct {
	Keys           KeySource
	Issuer         string         // `iss` to demand, empty: any
	Audience       string         // `aud` to demand, empty: any
	MaxLifetime    time.Duration  // how far ahead `exp` of a token may lie
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Log            *slog.Logger

	MaxConnections int // open connections; one more is answered 503 overloaded and closed
	MaxInFlight    int // purchases under way; one more is answered 503 overloaded
	MaxReads       int // look-ups of orders under way; one more is answered 503 overloaded
	MaxWaiters     int // requests that wait for an order; one more is answered at once with the order as it is
	TokenCache     int // verified tokens remembered; a newer one replaces an older one
	LimitEntries   int // buyers, and addresses, that the limits remember; the ones longest idle are forgotten first

	ReadTimeout  time.Duration // for a whole request
	WriteTimeout time.Duration // for a whole answer
	IdleTimeout  time.Duration // between two requests of a connection
	StoreTimeout time.Duration // for one look-up in the database or in Redis

	// FarewellTime is how long buyers are still let in once Shutdown has been called, 0 for not at all: proxies see that
	// readiness has ended, and every answer closes its connection, so that few are cut off between two requests.
	FarewellTime time.Duration
}

// Bounds of the wire, from the buyers' contract.
const (
	maxBodyBytes       = 4 << 10
	maxHeaderBytes     = 8 << 10
	maxRequestsPerConn = 1_000_000
	maxWait            = 30 * time.Second
)

// Periods of the background roles.
const (
	pollInterval = 100 * time.Millisecond // catalogue and rules
	lookInterval = 100 * time.Millisecond // sold-out latches
	waitInterval = 25 * time.Millisecond  // orders that someone waits for
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
