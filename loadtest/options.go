package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"flashsale/sale"
)

// RushOptions are who presses Buy, where, how fast and how persistently.
type RushOptions struct {
	Servers        []string      // base URLs of gateways or of the proxy in front; buyers are spread over them
	Sale           string        // sale id
	SKUs           []string      // each press asks for one of them at random, or for several, see MaxLines
	Crowd          Crowd         // each buyer presses at least once
	Rate           float64       // arrivals a second, without the retries of apps
	Repeat         float64       // share of arrivals that are repeats of recent buyers, 0 to 0.9: same key, no key or new key
	MaxQuantity    int           // of each SKU a press asks for 1 to MaxQuantity units, default 1
	MaxLines       int           // each press asks for 1 to MaxLines SKUs by the sale's path; 0: for one by the SKU's path
	Connections    int           // open from the start, default 256
	MaxConnections int           // opened when presses leave late, default 4096
	Timeout        time.Duration // of one attempt, default 10s: the contract answers within 5s
	MaxAttempts    int           // of one press, the first included, default 10
	Seed           uint64        // of lines, quantities and repeats; default 1
	Nonce          string        // first part of every idempotency key; default: the start time
	History        io.Writer     // the answers to buyers, one JSON line per answer; nil: none
	Progress       io.Writer     // one line per second; nil: none
	Rewrite        bool          // Progress is a terminal: each line replaces the one before
	Each           func(*Told)   // called with each answer, one at a time; it must not wait. nil: none
	Timeline       bool          // record what happens step by step, for the charts of the report

	// Books reads the stock of each SKU of the sale, twice a second while the rush runs and afterwards until
	// nothing is in flight, for BooksWait at most. nil: the report has no settled units.
	Books     func(ctx context.Context) (map[string]sale.Stock, error)
	BooksWait time.Duration // default 30s
}

// Bounds and defaults of a rush.
const (
	maxRate            = 1_000_000
	maxRepeat          = 0.9
	maxConnections     = 60_000
	defaultConnections = 256
	defaultMaxConns    = 4096
	defaultTimeout     = 10 * time.Second
	defaultAttempts    = 10
	lateAfter          = 10 * time.Millisecond // a press that leaves this late makes the rush open one more connection
	maxRetryAfter      = time.Minute
	perhapsDelay       = 200 * time.Millisecond // shortest wait before a press with a lost answer is repeated
	progressEvery      = time.Second
	booksEvery         = 500 * time.Millisecond
	defaultBooksWait   = 30 * time.Second
)

func (o *RushOptions) setDefaults(now time.Time) {
	setDefault(&o.MaxQuantity, 1)
	setDefault(&o.Connections, defaultConnections)
	setDefault(&o.MaxConnections, max(defaultMaxConns, o.Connections))
	setDefault(&o.Timeout, defaultTimeout)
	setDefault(&o.MaxAttempts, defaultAttempts)
	setDefault(&o.Seed, 1)
	setDefault(&o.BooksWait, defaultBooksWait)
	setDefault(&o.Nonce, fmt.Sprintf("rush-%x", now.UnixMilli()))
}

// distinct returns how many different names there are.
func distinct(names []string) int {
	set := make(map[string]struct{}, len(names))
	for _, name := range names {
		set[name] = struct{}{}
	}
	return len(set)
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

func (o *RushOptions) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(o.Servers) > 0, "at least one server is needed")
	check(sale.ValidID(o.Sale), "sale %.70q is not a sale id", o.Sale)
	check(len(o.SKUs) > 0, "at least one SKU is needed")
	for _, sku := range o.SKUs {
		check(sale.ValidID(sku), "%.70q is not a SKU", sku)
	}
	check(o.MaxLines >= 0 && o.MaxLines <= min(sale.MaxLines, distinct(o.SKUs)),
		"lines must be 0 to %d, and no more than there are SKUs", sale.MaxLines)
	check(len(o.Crowd) > 0 && len(o.Crowd) <= MaxCrowd, "a crowd has 1 to %d buyers, not %d", MaxCrowd, len(o.Crowd))
	check(o.Rate > 0 && o.Rate <= maxRate, "rate must be above 0 and at most %d a second", maxRate)
	check(o.Repeat >= 0 && o.Repeat <= maxRepeat, "the share of repeats must be 0 to %g", maxRepeat)
	check(o.MaxQuantity >= 1 && o.MaxQuantity <= sale.MaxQuantity, "quantity must be 1 to %d", sale.MaxQuantity)
	check(o.Connections >= 1 && o.Connections <= o.MaxConnections && o.MaxConnections <= maxConnections,
		"connections must be 1 to the largest number, which is at most %d", maxConnections)
	check(o.Timeout > 0, "timeout must be above 0")
	check(o.BooksWait > 0, "the wait for the books must be above 0")
	check(o.MaxAttempts >= 1, "attempts must be 1 or more")
	check(sale.ValidKey(o.Nonce) && len(o.Nonce) <= sale.MaxKeyBytes/2, "nonce %.70q cannot begin a key", o.Nonce)
	return errors.Join(errs...)
}
