package audit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// atRest is a SKU of two buckets whose stores agree: ten units loaded, three confirmed, one cancelled, one refused, one
// transferred.
func atRest() *facts {
	f := newFacts("rush", "phone", 2)
	f.resting = true
	f.buckets[0] = &bucketFacts{epoch: 1, state: sale.BucketOpen, loaded: 4, settled: 3, released: 1,
		redisEpoch: 1, redisSequence: 4, redisAvailable: 2}
	f.buckets[1] = &bucketFacts{epoch: 2, state: sale.BucketOpen, loaded: 6, settled: 1, redisEpoch: 2, redisSequence: 2,
		redisAvailable: 5}
	order := func(id sale.OrderID, bucket int, buyer string, quantity int64, status sale.OrderStatus) {
		f.rows[id] = row{bucket: bucket, buyer: buyer, quantity: quantity, status: status, key: fmt.Sprint(id)}
		f.orders[id] = row{bucket: bucket, buyer: buyer, quantity: quantity}
	}
	order(11, 0, "ann", 2, sale.StatusConfirmed)
	order(12, 0, "bob", 1, sale.StatusCancelled)
	order(21, 1, "cid", 1, sale.StatusPaid)
	order(22, 1, "dot", 1, sale.StatusRefused)
	f.entries = map[sale.OrderID]row{
		11: {bucket: 0, buyer: "ann", quantity: 2}, 12: {bucket: 0, buyer: "bob", quantity: -1},
		21: {bucket: 1, buyer: "cid", quantity: 1},
	}
	f.records = map[writeID][]sale.OrderID{{0, 1, 1}: {11}, {0, 1, 2}: {12}, {0, 1, 3}: {99}, {1, 1, 1}: {22}, {1, 2, 1}: {21}}
	f.markers = map[writeID]sale.OrderID{{0, 1, 1}: 11, {0, 1, 2}: 12, {0, 1, 3}: 99, {0, 1, 4}: -1, {1, 1, 1}: 22, {1, 2, 1}: 21,
		{1, 2, 2}: -1}
	return f
}

func verdicts(f *facts) map[string]Verdict {
	found := map[string]Verdict{}
	for _, line := range judge(f) {
		found[line.Invariant] = line.Verdict
	}
	return found
}

func TestEveryInvariantHoldsAtRest(t *testing.T) {
	f := atRest()
	for _, line := range judge(f) {
		assert.Equal(t, Line{Sale: "rush", SKU: "phone", Invariant: line.Invariant, Verdict: Holds}, line)
	}
	assert.Len(t, judge(f), len(invariants))
	assert.Zero(t, f.gaps())
}

// Each case breaks one thing and lists the invariants that must report it; every case must be reported.
func TestEveryInvariantCatchesItsFault(t *testing.T) {
	for _, story := range []struct {
		name  string
		spoil func(*facts)
		told  []string
	}{
		{"a unit too many is sold", func(f *facts) {
			f.buckets[0].loaded, f.buckets[1].loaded = 1, 1
		}, []string{"no_oversell", "stock_equation"}},
		{"settled counts a row twice", func(f *facts) { f.buckets[0].settled++ }, []string{"rows_match_books", "stock_equation"}},
		{"a release is not counted", func(f *facts) { f.buckets[0].released-- }, []string{"rows_match_books", "stock_equation"}},
		{"a row is in another bucket", func(f *facts) {
			r := f.rows[11]
			r.bucket = 1
			f.rows[11] = r
		}, []string{"rows_match_books", "every_row_recorded"}},
		{"a buyer has more than the limit", func(f *facts) {
			r := f.rows[21]
			r.buyer = "ann"
			f.rows[21] = r
		}, []string{"limit_per_buyer", "every_row_recorded", "redis_matches_rows"}},
		{"a key made two orders, one of them cancelled", func(f *facts) {
			for id, status := range map[sale.OrderID]sale.OrderStatus{31: sale.StatusConfirmed, 32: sale.StatusCancelled} {
				f.rows[id] = row{bucket: 0, buyer: "eve", quantity: 1, status: status, key: "k1"}
				f.orders[id] = row{bucket: 0, buyer: "eve", quantity: 1}
			}
			f.entries[31] = row{bucket: 0, buyer: "eve", quantity: 1}
			f.buckets[0].settled, f.buckets[0].released, f.buckets[0].redisAvailable = 5, 2, 1
		}, []string{"one_order_per_key"}},
		{"redis applied a release twice", func(f *facts) { f.buckets[0].redisAvailable++ }, []string{"stock_equation"}},
		{"redis lost a unit", func(f *facts) { f.buckets[1].redisAvailable-- }, []string{"stock_equation"}},
		{"redis lives in another epoch", func(f *facts) { f.buckets[1].redisEpoch = 1 }, []string{"stock_equation"}},
		{"a batch was never settled", func(f *facts) {
			delete(f.markers, writeID{1, 2, 1})
		}, []string{"every_record_settled"}},
		{"a marker names another batch", func(f *facts) { f.markers[writeID{0, 1, 1}] = 12 }, []string{"every_record_settled"}},
		{"an order of the topic has no row", func(f *facts) { delete(f.rows, 22) }, []string{"every_record_settled"}},
		{"a row was never recorded", func(f *facts) { delete(f.orders, 21) }, []string{"every_row_recorded"}},
		{"a row names another quantity", func(f *facts) {
			f.orders[22] = row{bucket: 1, buyer: "dot", quantity: 2}
		}, []string{"every_row_recorded"}},
		{"redis forgot an owner", func(f *facts) { delete(f.entries, 21) }, []string{"redis_matches_rows"}},
		{"redis still counts a cancelled order", func(f *facts) {
			f.entries[12] = row{bucket: 0, buyer: "bob", quantity: 1}
		}, []string{"redis_matches_rows"}},
		{"redis counts an order that was never settled", func(f *facts) {
			f.entries[77] = row{bucket: 0, buyer: "eve", quantity: 1}
		}, []string{"redis_matches_rows"}},
	} {
		t.Run(story.name, func(t *testing.T) {
			f := atRest()
			story.spoil(f)
			var told []string
			for _, line := range judge(f) {
				if line.Verdict == Violated {
					told = append(told, line.Invariant)
					assert.NotEmpty(t, line.Detail)
				}
			}
			assert.Equal(t, story.told, told)
		})
	}
}

// Other buyers may send the same key, a refused order frees it, and orders without a key are not compared.
func TestKeysThatMakeOneOrder(t *testing.T) {
	f := newFacts("rush", "phone", 9)
	add := func(buyer string, status sale.OrderStatus, key string) {
		f.rows[sale.OrderID(len(f.rows))] = row{buyer: buyer, status: status, key: key}
	}
	add("ann", sale.StatusRefused, "k1")
	add("ann", sale.StatusRefused, "k1")
	add("ann", sale.StatusPaid, "k1")
	add("ann", sale.StatusPaid, "k2")
	add("ann", sale.StatusPaid, "")
	add("ann", sale.StatusPaid, "")
	add("bob", sale.StatusExpired, "k1")
	assert.Empty(t, repeatedKey(f))
	add("bob", sale.StatusCancelled, "k1")
	assert.Equal(t, `key "k1" of buyer bob made orders 6 and 7`, repeatedKey(f))
}

// Records in a dead letter or in a fork are not faults; a sale in motion is not judged across stores.
func TestWhatIsNoFault(t *testing.T) {
	f := atRest()
	delete(f.rows, 22)
	delete(f.markers, writeID{1, 1, 1})
	f.moveToDeadLetters(22, writeID{1, 1, 1}, row{bucket: 1, buyer: "dot", quantity: 1})
	f.records[writeID{0, 1, 1}] = append(f.records[writeID{0, 1, 1}], 12)
	f.forks[writeID{0, 1, 1}] = []sale.OrderID{12}
	for invariant, verdict := range verdicts(f) {
		assert.Equal(t, Holds, verdict, invariant)
	}
	f = atRest()
	f.resting = false
	f.buckets[0].settled++
	assert.Equal(t, map[string]Verdict{
		"no_oversell": Holds, "rows_match_books": Violated, "limit_per_buyer": Holds, "one_order_per_key": Holds,
		"stock_equation":       NotJudged,
		"every_record_settled": NotJudged, "every_row_recorded": NotJudged, "redis_matches_rows": NotJudged,
	}, verdicts(f))
}

// A row whose record may have been deleted is no fault and not judged; the rows whose records are there are judged, and those
// of other partitions.
func TestRecordsThatWereDeleted(t *testing.T) {
	f := atRest()
	f.buckets[1].partition = 5
	f.shortened = map[int32]bool{0: true, 5: false}
	assert.Equal(t, Holds, verdicts(f)["every_row_recorded"], "all records are there")
	delete(f.orders, 11)
	delete(f.orders, 12)
	for _, line := range judge(f) {
		want := Line{Sale: "rush", SKU: "phone", Invariant: line.Invariant, Verdict: Holds}
		if line.Invariant == "every_row_recorded" {
			want.Verdict = NotJudged
			want.Detail = "the topic no longer has the records of 2 rows: they were deleted because of their age"
		}
		assert.Equal(t, want, line)
	}
	f.orders[12] = row{bucket: 0, buyer: "eve", quantity: 1}
	assert.Equal(t, Violated, verdicts(f)["every_row_recorded"], "a record that is there differs")
	f.orders[12] = row{bucket: 0, buyer: "bob", quantity: 1}
	delete(f.orders, 21)
	assert.Equal(t, Violated, verdicts(f)["every_row_recorded"], "its partition is whole")
}

// moveToDeadLetters puts an order into a dead letter of its own.
func (f *facts) moveToDeadLetters(id sale.OrderID, at writeID, r row) {
	f.dead[id] = true
	f.letters[mark{at, id}] = recorded{sale: f.sale, sku: f.sku, at: at, id: id, orders: map[sale.OrderID]row{id: r}}
	f.orders[id], f.records[at] = r, append(f.records[at], id)
}

// Units in the dead letters are in flight: as many as Redis has taken for them in the present epoch.
func TestDeadLettersAreInFlight(t *testing.T) {
	taken := row{bucket: 0, buyer: "eve", quantity: 2}
	f := atRest()
	f.moveToDeadLetters(51, writeID{0, 1, 5}, taken)
	f.entries[51] = taken
	f.buckets[0].redisAvailable -= 2
	assert.EqualValues(t, 2, f.stock().InFlight)
	for _, line := range judge(f) {
		assert.Equal(t, Holds, line.Verdict, "%s: %s", line.Invariant, line.Detail)
	}
	f.markers[writeID{0, 1, 5}] = 51
	assert.Zero(t, f.stock().InFlight, "it has settled meanwhile")
	f = atRest()
	f.moveToDeadLetters(51, writeID{1, 1, 9}, row{bucket: 1, buyer: "eve", quantity: 2})
	assert.Zero(t, f.stock().InFlight, "the rebuild of the next epoch gave it back")
	f.moveToDeadLetters(52, writeID{0, 1, 5}, taken)
	assert.Zero(t, f.stock().InFlight, "Redis never took it")
	assert.Equal(t, Holds, verdicts(f)["stock_equation"])

	f = atRest()
	at := writeID{1, 2, 3}
	f.letters[mark{at, 60}] = recorded{sale: f.sale, sku: f.sku, at: at, id: 60, moved: 3}
	f.records[at] = []sale.OrderID{60}
	f.buckets[1].redisAvailable -= 3
	for _, line := range judge(f) {
		assert.Equal(t, Holds, line.Verdict, "a transfer in a dead letter: %s: %s", line.Invariant, line.Detail)
	}
}

func TestGapsAreWritesThatWereLost(t *testing.T) {
	f := atRest()
	delete(f.markers, writeID{0, 1, 2})
	f.markers[writeID{1, 2, 9}] = 5
	assert.EqualValues(t, 1+6, f.gaps())
}

func TestReportSumsUp(t *testing.T) {
	report := func(all ...*facts) *Report {
		return (&reading{facts: all, records: 5, unreadable: 1}).report(Servers{Redis: "7"})
	}
	good := report(atRest())
	assert.Equal(t, Holds, good.Verdict)
	assert.Equal(t, Counts{
		Records: 5, Unreadable: 1, Orders: 4, Entries: 3,
		Rows: map[string]int64{"confirmed": 1, "cancelled": 1, "paid": 1, "refused": 1},
	}, good.Counts)
	moving, bad := atRest(), atRest()
	moving.resting = false
	bad.buckets[0].redisAvailable++
	assert.Equal(t, NotJudged, report(atRest(), moving).Verdict)
	assert.Equal(t, Violated, report(moving, bad).Verdict)
	assert.Equal(t, Holds, report().Verdict)
}

func TestQuiet(t *testing.T) {
	ends := map[int32]int64{0: 7}
	require.True(t, atRest().quiet(map[int32]int64{0: 7}, ends))
	for name, spoil := range map[string]func(*facts){
		"journal":  func(f *facts) { f.journal = 1 },
		"outbox":   func(f *facts) { f.buckets[0].waiting = 1 },
		"rebuild":  func(f *facts) { f.buckets[0].state = sale.BucketLoading },
		"unloaded": func(f *facts) { f.buckets[1].partition = 1; f.buckets[1].state = sale.BucketClosed },
	} {
		f := atRest()
		spoil(f)
		assert.False(t, f.quiet(map[int32]int64{0: 7}, ends), name)
	}
	assert.False(t, atRest().quiet(map[int32]int64{0: 6}, ends), "a record waits")
	f := atRest()
	f.buckets[1].epoch, f.buckets[1].state = 0, sale.BucketClosed
	assert.True(t, f.quiet(map[int32]int64{0: 7}, ends), "a bucket that was never loaded is at rest")
}
