package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

// unitWorld is two buckets of one SKU. Its units move on every possible way, one step at a time, between any two
// readings.
type unitWorld struct {
	t       *rapid.T
	books   [2]sale.BucketCounters
	seen    [2]sale.Reading
	queued  [2]int64 // taken by orders, not settled
	transit [2]int64 // taken by transfers, not settled
	owned   [2]int64 // settled and not returned
	given   [2]int64 // released in the database and not in Redis yet
}

func newUnitWorld(t *rapid.T) *unitWorld {
	w := &unitWorld{t: t}
	for i := range w.books {
		loaded := rapid.Int64Range(0, 50).Draw(t, "loaded")
		sold := rapid.Int64Range(0, loaded).Draw(t, "sold in earlier epochs")
		w.books[i] = sale.BucketCounters{
			BucketRow: sale.BucketRow{Bucket: sale.Bucket{Sale: "s", SKU: "phone", Number: i}, Epoch: 3, State: sale.BucketOpen},
			Loaded:    loaded, Settled: sold + 2, Released: 2,
		}
		w.seen[i] = sale.Reading{Epoch: 3, Available: loaded - sold}
		w.owned[i] = sold
	}
	return w
}

// step moves some units of one bucket to the next place.
func (w *unitWorld) step() {
	i := rapid.IntRange(0, 1).Draw(w.t, "bucket")
	db, redis, other := &w.books[i], &w.seen[i], &w.books[1-i]
	some := func(most int64) int64 { return rapid.Int64Range(0, max(0, most)).Draw(w.t, "units") }
	switch rapid.SampledFrom([]string{"take", "settle", "release", "refuse", "apply", "send", "move"}).Draw(w.t, "step") {
	case "take":
		n := some(redis.Available)
		redis.Available, redis.Taken, w.queued[i] = redis.Available-n, redis.Taken+n, w.queued[i]+n
	case "settle":
		n := some(w.queued[i])
		db.Settled, db.SettledEpoch, w.queued[i], w.owned[i] = db.Settled+n, db.SettledEpoch+n, w.queued[i]-n, w.owned[i]+n
	case "release":
		n := some(w.owned[i])
		db.Released, db.GivenEpoch, w.owned[i], w.given[i] = db.Released+n, db.GivenEpoch+n, w.owned[i]-n, w.given[i]+n
	case "refuse": // the orders of a dead letter, refused by an operator
		n := some(w.queued[i])
		db.SettledEpoch, db.GivenEpoch, w.queued[i], w.given[i] = db.SettledEpoch+n, db.GivenEpoch+n, w.queued[i]-n, w.given[i]+n
	case "apply":
		n := some(w.given[i])
		redis.Available, redis.Returned, w.given[i] = redis.Available+n, redis.Returned+n, w.given[i]-n
	case "send":
		n := some(redis.Available)
		redis.Available, redis.Taken, redis.Moved, w.transit[i] = redis.Available-n, redis.Taken+n, redis.Moved+n, w.transit[i]+n
	case "move":
		n := some(w.transit[i])
		db.Loaded, db.SettledEpoch, db.MovedEpoch, w.transit[i] = db.Loaded-n, db.SettledEpoch+n, db.MovedEpoch+n, w.transit[i]-n
		other.Loaded, other.GivenEpoch, w.given[1-i] = other.Loaded+n, other.GivenEpoch+n, w.given[1-i]+n
	}
}

func (w *unitWorld) steps() {
	for range rapid.IntRange(0, 8).Draw(w.t, "steps") {
		w.step()
	}
}

// SaleCounters reads all rows at one moment, as one statement does.
func (w *unitWorld) SaleCounters(context.Context, string) ([]sale.BucketCounters, error) {
	defer w.steps()
	return slices.Clone(w.books[:]), nil
}

// Readings reads one bucket after the other.
func (w *unitWorld) Readings(context.Context, []sale.Bucket) ([]sale.Reading, error) {
	var seen []sale.Reading
	for i := range w.seen {
		seen = append(seen, w.seen[i])
		w.steps()
	}
	return seen, nil
}

func (w *unitWorld) total() sale.Stock {
	positions, err := readPositions(context.Background(), w, w, "s")
	require.NoError(w.t, err)
	group := skuPositions{sku: "phone", buckets: positions}
	require.True(w.t, group.coherent())
	return group.total()
}

// TestTheEquationDoesNotFlicker: whatever moves between the readings, every reading balances to the unit.
func TestTheEquationDoesNotFlicker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newUnitWorld(t)
		for range 5 {
			sum := w.total()
			require.True(t, sum.Holds(), "%+v", sum)
		}
	})
}

// TestEveryUnitThatIsLostShows: after a unit is lost or added, every later reading shows it, whatever moves meanwhile.
func TestEveryUnitThatIsLostShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newUnitWorld(t)
		w.steps()
		i := rapid.IntRange(0, 1).Draw(t, "where")
		wrong := rapid.SampledFrom([]int64{-2, -1, 1, 2}).Draw(t, "units")
		switch rapid.SampledFrom([]string{"available", "taken", "settled", "loaded"}).Draw(t, "what") {
		case "available":
			w.seen[i].Available += wrong
		case "taken":
			w.seen[i].Taken += wrong
		case "settled": // an order row without a batch
			w.books[i].Settled += wrong
		case "loaded":
			w.books[i].Loaded += wrong
		}
		for range 3 {
			require.False(t, w.total().Holds())
		}
	})
}

// TestReleaseThatIsAppliedTwiceShows: Redis has more units than the books ever released, and reading again does not
// explain them.
func TestReleaseThatIsAppliedTwiceShows(t *testing.T) {
	books := sale.BucketCounters{BucketRow: sale.BucketRow{Epoch: 3, State: sale.BucketOpen}, Loaded: 10, Settled: 3,
		SettledEpoch: 3, Released: 1, GivenEpoch: 1}
	seen := sale.Reading{Epoch: 3, Available: 9, Taken: 3, Returned: 2}
	require.EqualValues(t, 1, surplus(&books, &seen))
	p := positionOf(&books, &seen, &books)
	require.True(t, p.Coherent)
	require.EqualValues(t, -1, p.Difference())

	later := books
	later.GivenEpoch, later.Released = 2, 2
	p = positionOf(&books, &seen, &later)
	require.Zero(t, p.Difference(), "given between the readings")
	later.Epoch = 4
	require.False(t, positionOf(&books, &seen, &later).Coherent, "rebuilt between the readings")
	require.EqualValues(t, -1, positionOf(&books, &seen, nil).Difference())
	seen.Epoch = 2
	require.Zero(t, surplus(&books, &seen), "another life of the bucket")
}

// TestReturnedUnitsThatWereTakenAgain: no returned unit is for sale any more, so the units are left out of those in
// flight.
func TestReturnedUnitsThatWereTakenAgain(t *testing.T) {
	books := sale.BucketCounters{BucketRow: sale.BucketRow{Epoch: 3, State: sale.BucketOpen}, Loaded: 4, Settled: 4,
		SettledEpoch: 4}
	later := books
	later.Released, later.GivenEpoch = 3, 3
	p := positionOf(&books, &sale.Reading{Epoch: 3, Available: 1, Taken: 6, Returned: 3}, &later)
	require.Equal(t, sale.Stock{Loaded: 4, Settled: 4}, p.Stock)
}

func TestBooksThatCannotBeReadAgainAreAnError(t *testing.T) {
	away := &onceBooks{books: []sale.BucketCounters{{BucketRow: sale.BucketRow{Epoch: 1, State: sale.BucketOpen}}}}
	_, err := readPositions(t.Context(), away, oneReading{Epoch: 1, Returned: 1}, "s")
	require.ErrorIs(t, err, errAway)
}

// onceBooks answers once.
type onceBooks struct{ books []sale.BucketCounters }

func (o *onceBooks) SaleCounters(context.Context, string) ([]sale.BucketCounters, error) {
	if o.books == nil {
		return nil, errAway
	}
	books := o.books
	o.books = nil
	return books, nil
}

type oneReading sale.Reading

func (o oneReading) Readings(context.Context, []sale.Bucket) ([]sale.Reading, error) {
	return []sale.Reading{sale.Reading(o)}, nil
}

// watchBench is the gauges over an open sale, with a clock that the test sets.
func watchBench(t *testing.T) (*bench, *Gauges, *time.Time) {
	t.Helper()
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	g := gaugeBench(t, b)
	now := time.Now()
	g.watch.pauser, g.watch.now = b.store, func() time.Time { return now }
	return b, g, &now
}

// lose removes units from Redis without a record; a negative number adds them back.
func (b *bench) lose(units int64) {
	b.stock.set(func() { r := b.stock.readings[phone]; r.Available -= units; b.stock.readings[phone] = r })
}

func (b *bench) sale() sale.Sale { return b.store.sale("s").Sale }

func TestTheEnginePausesASaleWhoseBooksStayOff(t *testing.T) {
	b, g, now := watchBench(t)
	b.lose(3)
	for range 5 { // 0 s to 4 s
		roundOf(t, g)
		require.Equal(t, sale.StateOpen, b.sale().State)
		*now = now.Add(time.Second)
	}
	roundOf(t, g)
	require.Equal(t, sale.StatePaused, b.sale().State)
	reason := "conservation: SKU phone is off by 3 units: loaded 10, available 7, in flight 0, settled 0, released 0"
	stats := b.ask("GET", "/admin/v1/sales/s/stats", "").is(200)
	require.Equal(t, "paused", stats["state"])
	require.Equal(t, reason, stats["reason"])
	require.NoError(t, testutil.CollectAndCompare(g, strings.NewReader(`
# HELP flashsale_conservation_error_units Units by which the stock equation of a SKU is off; 0 when it holds.
# TYPE flashsale_conservation_error_units gauge
flashsale_conservation_error_units{sale="s",sku="phone"} 3
`), "flashsale_conservation_error_units"))

	*now = now.Add(time.Minute)
	roundOf(t, g)
	b.ask("POST", "/admin/v1/sales/s/resume", "").is(200)
	roundOf(t, g)
	require.Equal(t, sale.StateOpen, b.sale().State, "an operator who resumes it has another 5 s")
	*now = now.Add(pauseAfter)
	roundOf(t, g)
	require.Equal(t, sale.StatePaused, b.sale().State)
}

func TestBooksThatAreOffForAMomentPauseNothing(t *testing.T) {
	b, g, now := watchBench(t)
	for range 10 {
		b.lose(1)
		roundOf(t, g)
		*now = now.Add(3 * time.Second)
		roundOf(t, g)
		*now = now.Add(time.Second)
		b.lose(-1)
		roundOf(t, g)
		*now = now.Add(time.Second)
	}
	require.Equal(t, sale.StateOpen, b.sale().State)
}

// TestTimeThatNobodyWatchedDoesNotCount: a rebuild, a store that was away, or a turn of another process restarts the
// time.
func TestTimeThatNobodyWatchedDoesNotCount(t *testing.T) {
	for name, interrupt := range map[string]func(*bench, *Gauges, bool){
		"rebuild": func(b *bench, _ *Gauges, on bool) {
			state := map[bool]sale.BucketState{true: sale.BucketLoading, false: sale.BucketOpen}[on]
			b.store.changeRow(phone, func(r *sale.BucketCounters) { r.State = state })
		},
		"store away":           func(b *bench, _ *Gauges, on bool) { b.stock.set(func() { b.stock.away = on }) },
		"lease in other hands": func(_ *bench, g *Gauges, on bool) { g.own(!on) },
	} {
		t.Run(name, func(t *testing.T) {
			b, g, now := watchBench(t)
			b.lose(1)
			roundOf(t, g)
			*now = now.Add(pauseAfter)
			interrupt(b, g, true)
			roundOf(t, g)
			interrupt(b, g, false)
			roundOf(t, g)
			require.Equal(t, sale.StateOpen, b.sale().State)
			*now = now.Add(pauseAfter)
			roundOf(t, g)
			require.Equal(t, sale.StatePaused, b.sale().State)
		})
	}
}

func TestPausesThatFailAreTriedAgain(t *testing.T) {
	b, g, now := watchBench(t)
	failing := &failingPauser{failures: []error{errAway, &sale.StateError{State: sale.StateClosed}}}
	g.watch.pauser = failing
	b.lose(1)
	for range 3 {
		roundOf(t, g)
		*now = now.Add(pauseAfter)
	}
	require.Empty(t, failing.failures)
	g.watch.pauser = nil
	roundOf(t, g)
	require.Equal(t, sale.StateOpen, b.sale().State, "without a pauser the gauges only show")
}

type failingPauser struct{ failures []error }

func (f *failingPauser) PauseSale(context.Context, string, string) error {
	if len(f.failures) == 0 {
		return errors.New("asked too often")
	}
	err := f.failures[0]
	f.failures = f.failures[1:]
	return err
}

func TestSalesThatDoNotSellAreNotPaused(t *testing.T) {
	b, g, now := watchBench(t)
	b.ask("POST", "/admin/v1/sales/s/close", "").is(200)
	b.lose(1)
	for range 3 {
		roundOf(t, g)
		*now = now.Add(pauseAfter)
	}
	require.Equal(t, sale.StateClosed, b.sale().State)
	require.Empty(t, g.watch.since)
}

func TestReasonsFitTheirColumn(t *testing.T) {
	most := int64(-1 << 63)
	reason := imbalance(strings.Repeat("p", sale.MaxIDBytes),
		sale.Stock{Loaded: most, Available: most, InFlight: most, Settled: most, Released: most})
	require.Len(t, reason, maxReasonBytes)
}
