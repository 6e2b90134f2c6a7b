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
// readings. Every second bucket also has another SKU, whose units must not count.
type unitWorld struct {
	t       *rapid.T
	books   [2]sale.StockCounters
	seen    [2]sale.StockReading
	queued  [2]int64 // taken by orders, not settled
	transit [2]int64 // taken by transfers, not settled
	owned   [2]int64 // settled and not returned
	given   [2]int64 // released in the database and not in Redis yet
	taken   [2]int64 // taken back in Redis and not in the database yet
}

// shelf returns both counters of the SKU in a bucket.
func (w *unitWorld) shelf(i int) (*sale.ShelfCounters, *sale.ShelfReading) {
	return &w.books[i].Shelves[0], &w.seen[i].Shelves[0]
}

func newUnitWorld(t *rapid.T) *unitWorld {
	w := &unitWorld{t: t}
	for i := range w.books {
		loaded := rapid.Int64Range(0, 50).Draw(t, "loaded")
		sold := rapid.Int64Range(0, loaded).Draw(t, "sold in earlier epochs")
		w.books[i].BucketRow = sale.BucketRow{Bucket: sale.Bucket{Sale: "s", Number: i}, Epoch: 3, State: sale.BucketOpen}
		w.books[i].Shelves = []sale.ShelfCounters{
			{SKU: "phone", Loaded: loaded, Settled: sold + 2, Released: 2}, {SKU: "zip", Loaded: 7},
		}
		w.seen[i] = sale.StockReading{Reading: sale.Reading{Epoch: 3}, Shelves: []sale.ShelfReading{
			{SKU: "phone", Available: loaded - sold}, {SKU: "zip", Available: 7},
		}}
		w.owned[i] = sold
	}
	return w
}

// step moves some units of one bucket to the next place.
func (w *unitWorld) step() {
	i := rapid.IntRange(0, 1).Draw(w.t, "bucket")
	db, redis := w.shelf(i)
	other, _ := w.shelf(1 - i)
	some := func(most int64) int64 { return rapid.Int64Range(0, max(0, most)).Draw(w.t, "units") }
	switch rapid.SampledFrom([]string{"take", "settle", "release", "refuse", "apply", "send", "move",
		"raise", "take back", "mark"}).Draw(w.t, "step") {
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
	case "raise": // an operator adds units
		n := rapid.Int64Range(0, 5).Draw(w.t, "units")
		db.Loaded, db.GivenEpoch, w.given[i] = db.Loaded+n, db.GivenEpoch+n, w.given[i]+n
	case "take back": // Redis finds units that nobody has bought
		n := some(redis.Available)
		redis.Available, redis.Returned, w.taken[i] = redis.Available-n, redis.Returned-n, w.taken[i]+n
	case "mark": // and the database removes them
		n := w.taken[i]
		db.Loaded, db.GivenEpoch, w.taken[i] = db.Loaded-n, db.GivenEpoch-n, 0
	}
}

func (w *unitWorld) steps() {
	for range rapid.IntRange(0, 8).Draw(w.t, "steps") {
		w.step()
	}
}

// SaleCounters reads all rows at one moment, as one statement does.
func (w *unitWorld) SaleCounters(context.Context, string) ([]sale.StockCounters, error) {
	defer w.steps()
	books := slices.Clone(w.books[:])
	for i := range books {
		books[i].Shelves = slices.Clone(books[i].Shelves)
	}
	return books, nil
}

// StockReadings reads one bucket after the other.
func (w *unitWorld) StockReadings(context.Context, []sale.Bucket, []string) ([]sale.StockReading, error) {
	seen := slices.Clone(w.seen[:])
	for i := range w.seen {
		seen[i].Shelves = slices.Clone(w.seen[i].Shelves)
		w.steps()
	}
	return seen, nil
}

func (w *unitWorld) total() sale.Stock {
	positions, err := readPositions(context.Background(), w, w, "s")
	require.NoError(w.t, err)
	groups := bySKU(&sale.Sale{Items: []sale.Item{{SKU: "phone"}, {SKU: "zip"}}}, positions)
	require.Len(w.t, groups, 2)
	require.True(w.t, groups[0].coherent())
	require.True(w.t, func() bool { zips := groups[1].total(); return zips.Holds() }())
	return groups[0].total()
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
			w.seen[i].Shelves[0].Available += wrong
		case "taken":
			w.seen[i].Shelves[0].Taken += wrong
		case "settled": // an order row without a batch
			w.books[i].Shelves[0].Settled += wrong
		case "loaded":
			w.books[i].Shelves[0].Loaded += wrong
		}
		for range 3 {
			require.False(t, w.total().Holds())
		}
	})
}

// both are the readings of a bucket with one SKU, in epoch 3.
func both(books sale.ShelfCounters, seen sale.ShelfReading) (*sale.StockCounters, *sale.StockReading) {
	books.SKU, seen.SKU = "phone", "phone"
	row := sale.BucketCounters{BucketRow: sale.BucketRow{Epoch: 3, State: sale.BucketOpen}}
	return &sale.StockCounters{BucketCounters: row, Shelves: []sale.ShelfCounters{books}},
		&sale.StockReading{Reading: sale.Reading{Epoch: 3}, Shelves: []sale.ShelfReading{seen}}
}

// TestReleaseThatIsAppliedTwiceShows: Redis has more units than the books ever released, and reading again does not
// explain them.
func TestReleaseThatIsAppliedTwiceShows(t *testing.T) {
	books, seen := both(sale.ShelfCounters{Loaded: 10, Settled: 3, SettledEpoch: 3, Released: 1, GivenEpoch: 1},
		sale.ShelfReading{Available: 9, Taken: 3, Returned: 2})
	of := pairOf(books, seen)
	require.EqualValues(t, 1, of.skus[0].surplus())
	p, torn := of.position(books)
	require.True(t, p.Coherent)
	require.True(t, torn, "it is read once more")
	require.EqualValues(t, -1, p.shelves[0].Difference())

	later, _ := both(sale.ShelfCounters{GivenEpoch: 2, Released: 2}, sale.ShelfReading{})
	p, torn = of.position(later)
	require.False(t, torn)
	require.Zero(t, p.shelves[0].Difference(), "given between the readings")
	later.Epoch = 4
	p, torn = of.position(later)
	require.False(t, p.Coherent, "rebuilt between the readings")
	require.False(t, torn)
	p, _ = of.position(nil)
	require.EqualValues(t, -1, p.shelves[0].Difference())
	seen.Epoch = 2
	of = pairOf(books, seen)
	require.False(t, of.doubtful(), "another life of the bucket")
}

// TestReturnedUnitsThatWereTakenAgain: no returned unit is for sale any more, so the units are left out of those in
// flight.
func TestReturnedUnitsThatWereTakenAgain(t *testing.T) {
	books, seen := both(sale.ShelfCounters{Loaded: 4, Settled: 4, SettledEpoch: 4},
		sale.ShelfReading{Available: 1, Taken: 6, Returned: 3})
	later, _ := both(sale.ShelfCounters{Released: 3, GivenEpoch: 3}, sale.ShelfReading{})
	of := pairOf(books, seen)
	p, _ := of.position(later)
	require.Equal(t, sale.Stock{Loaded: 4, Settled: 4}, p.shelves[0].Stock)
}

// TestSKUsOfRedisAlone: an item that was added between the readings is left out; units of a SKU that nobody added show.
func TestSKUsOfRedisAlone(t *testing.T) {
	books, seen := both(sale.ShelfCounters{Loaded: 4}, sale.ShelfReading{Available: 4})
	seen.Shelves = append(seen.Shelves, sale.ShelfReading{SKU: "case", Available: 2, Taken: 1, Returned: 3})
	of := pairOf(books, seen)
	later, _ := both(sale.ShelfCounters{Loaded: 4}, sale.ShelfReading{})
	later.Shelves = append(later.Shelves, sale.ShelfCounters{SKU: "case", Loaded: 3, GivenEpoch: 3})
	p, torn := of.position(later)
	require.False(t, torn)
	require.Len(t, p.shelves, 1)

	p, torn = of.position(books)
	require.True(t, torn)
	groups := bySKU(&sale.Sale{Items: []sale.Item{{SKU: "phone"}}}, []position{p})
	require.Len(t, groups, 2)
	require.Equal(t, sale.Stock{Available: 2, InFlight: 1}, groups[1].total())
	_, holds := totalOf(groups)
	require.False(t, holds)
}

// TestUnitsTakenBackBesideARaise: the books that are read afterwards have been lowered by a take already, so that they do
// not explain the raise; the readings are repeated.
func TestUnitsTakenBackBesideARaise(t *testing.T) {
	before, seen := both(sale.ShelfCounters{Loaded: 4}, sale.ShelfReading{Available: 9, Returned: 5})
	after, _ := both(sale.ShelfCounters{Loaded: 6, GivenEpoch: 2}, sale.ShelfReading{})
	final, last := both(sale.ShelfCounters{Loaded: 6, GivenEpoch: 2}, sale.ShelfReading{Available: 6, Returned: 2})
	books := &books{all: []*sale.StockCounters{before, after, final}}
	positions, err := readPositions(t.Context(), books, &nextReading{seen, last}, "s")
	require.NoError(t, err)
	require.Equal(t, sale.Stock{Loaded: 6, Available: 6}, positions[0].shelves[0].Stock)
}

func TestBooksThatCannotBeReadAgainAreAnError(t *testing.T) {
	once, seen := both(sale.ShelfCounters{}, sale.ShelfReading{Returned: 1})
	_, err := readPositions(t.Context(), &books{all: []*sale.StockCounters{once}}, &nextReading{seen}, "s")
	require.ErrorIs(t, err, errAway)
}

// books answers with one bucket after the other, then no more.
type books struct{ all []*sale.StockCounters }

func (b *books) SaleCounters(context.Context, string) ([]sale.StockCounters, error) {
	if len(b.all) == 0 {
		return nil, errAway
	}
	next := *b.all[0]
	b.all = b.all[1:]
	return []sale.StockCounters{next}, nil
}

// nextReading answers with one reading after the other.
type nextReading []*sale.StockReading

func (n *nextReading) StockReadings(context.Context, []sale.Bucket, []string) ([]sale.StockReading, error) {
	next := *(*n)[0]
	*n = (*n)[1:]
	return []sale.StockReading{next}, nil
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
	b.stock.changeShelf(first, func(s *sale.ShelfReading) { s.Available -= units })
}

func (b *bench) sale() sale.Sale { return b.store.sale("s").Sale }

func TestTheEnginePausesASaleWhoseBooksStayOff(t *testing.T) {
	b, g, now := watchBench(t)
	b.lose(3)
	for range 3 { // 0 s to 2 s
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
	require.Equal(t, sale.StateOpen, b.sale().State, "an operator who resumes it has another 3 s")
	*now = now.Add(pauseAfter)
	roundOf(t, g)
	require.Equal(t, sale.StatePaused, b.sale().State)
}

func TestBooksThatAreOffForAMomentPauseNothing(t *testing.T) {
	b, g, now := watchBench(t)
	for range 10 {
		b.lose(1)
		roundOf(t, g)
		*now = now.Add(time.Second)
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
			b.store.changeRow(first, func(r *sale.BucketCounters) { r.State = state })
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
