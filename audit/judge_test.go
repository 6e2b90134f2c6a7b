package audit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// phones returns the lines of an order of phones alone, at 100 cents.
func phones(quantity int64) []line { return []line{{"phone", quantity, 100}} }

// together returns the lines of an order of several lines: a case at 10 cents and phones.
func together(quantity int64) []line { return []line{{"case", 1, 10}, {"phone", quantity, 100}} }

// write adds an order to the database, the topic and Redis, as a settled one is there.
func (s *sheet) write(id sale.OrderID, bucket int, buyer string, status sale.OrderStatus, lines []line) {
	r := plainOrder{bucket: bucket, buyer: buyer, lines: lines, status: status, key: fmt.Sprint(id), count: int64(len(lines))}
	if len(lines) == 1 {
		r.sku = lines[0].sku
	}
	for _, l := range lines {
		r.quantity, r.total = r.quantity+l.quantity, r.total+l.quantity*l.price
	}
	s.rows[id] = r
	s.orders[id] = plainOrder{bucket: bucket, buyer: buyer, lines: lines}
	if status != sale.StatusRefused {
		s.entries[id] = plainOrder{bucket: bucket, buyer: buyer, lines: lines, gone: !r.live()}
	}
}

// atRest is a sale of two SKUs in two buckets whose stores agree: ten phones and three cases loaded, orders of one and of
// several lines confirmed, cancelled, paid and refused, one transfer.
func atRest() *sheet {
	f := newSheet("rush")
	f.resting, f.saleLimit = true, 3
	f.items = map[string]*itemFacts{"phone": {1, 10, 2}, "case": {2, 3, 1}}
	f.buckets[0] = &bucketFacts{epoch: 1, state: sale.BucketOpen, redisEpoch: 1, redisSequence: 4}
	f.buckets[1] = &bucketFacts{epoch: 2, state: sale.BucketOpen, redisEpoch: 2, redisSequence: 2}
	shelf := func(bucket int, sku string, loaded, settled, released, available int64) {
		item := f.items[sku]
		f.shelves[shelfID{bucket, sku}] = &shelfFacts{number: item.number, limit: item.limit, loaded: loaded, settled: settled,
			released: released, inDatabase: true, inRedis: true, available: available, redisNumber: item.number,
			redisLimit: item.limit}
	}
	shelf(0, "phone", 4, 3, 1, 2)
	shelf(1, "phone", 6, 1, 0, 5)
	shelf(0, "case", 2, 1, 0, 1)
	shelf(1, "case", 1, 0, 0, 1)
	f.write(11, 0, "ann", sale.StatusConfirmed, together(2))
	f.write(12, 0, "bob", sale.StatusCancelled, phones(1))
	f.write(21, 1, "cid", sale.StatusPaid, phones(1))
	f.write(22, 1, "dot", sale.StatusRefused, together(1))
	f.paid = map[string]paidFacts{"phone": {1, 1}}
	f.records = map[writeID][]sale.OrderID{{0, 1, 1}: {11}, {0, 1, 2}: {12}, {0, 1, 3}: {99}, {1, 1, 1}: {22}, {1, 2, 1}: {21}}
	f.markers = map[writeID]sale.OrderID{{0, 1, 1}: 11, {0, 1, 2}: 12, {0, 1, 3}: 99, {0, 1, 4}: -1, {1, 1, 1}: 22, {1, 2, 1}: 21,
		{1, 2, 2}: -1}
	return f
}

// phonesOf returns the shelf of phones in a bucket.
func (f *facts) phonesOf(bucket int) *shelfFacts { return f.shelves[shelfID{bucket, "phone"}] }

// change changes the row of an order.
func (s *sheet) change(id sale.OrderID, how func(*plainOrder)) {
	r := s.rows[id]
	how(&r)
	s.rows[id] = r
}

func verdicts(f *sheet) map[string]Verdict {
	found := map[string]Verdict{}
	for _, line := range judge(f.read()) {
		found[line.Invariant] = line.Verdict
	}
	return found
}

func TestEveryInvariantHoldsAtRest(t *testing.T) {
	f := atRest()
	for _, line := range judge(f.read()) {
		assert.Equal(t, Line{Sale: "rush", Invariant: line.Invariant, Verdict: Holds}, line)
	}
	assert.Len(t, judge(f.read()), len(invariants))
	assert.Zero(t, f.gaps())
}

// story breaks one thing and lists the invariants that must report it.
type story struct {
	name  string
	spoil func(*sheet)
	told  []string
}

// booksOff are faults inside the database.
func booksOff() []story {
	return []story{
		{"a unit too many is sold", func(f *sheet) {
			f.phonesOf(0).loaded, f.phonesOf(1).loaded, f.items["phone"].stock = 1, 1, 2
		}, []string{"no_oversell", "stock_equation"}},
		{"units were loaded that no operator gave", func(f *sheet) {
			f.phonesOf(0).loaded++
			f.phonesOf(0).available++
		}, []string{"loaded_matches_stock"}},
		{"settled counts a row twice", func(f *sheet) { f.phonesOf(0).settled++ },
			[]string{"rows_match_books", "stock_equation"}},
		{"a release is not counted", func(f *sheet) { f.phonesOf(0).released-- }, []string{"rows_match_books", "stock_equation"}},
		{"a unit of one SKU is credited to another", func(f *sheet) {
			f.phonesOf(0).available--
			f.shelves[shelfID{0, "case"}].available++
		}, []string{"stock_equation", "stock_equation"}},
		{"a unit is credited to another SKU in the database", func(f *sheet) {
			f.phonesOf(0).released++
			f.shelves[shelfID{0, "case"}].released--
		}, []string{"rows_match_books", "rows_match_books", "stock_equation", "stock_equation"}},
		{"a row is in another bucket", func(f *sheet) { f.change(21, func(r *plainOrder) { r.bucket = 0 }) },
			[]string{"rows_match_books", "rows_match_books", "every_row_recorded", "redis_matches_rows"}},
		{"a payment is counted twice", func(f *sheet) { f.paid["phone"] = paidFacts{2, 2} }, []string{"paid_matches_rows"}},
		{"a payment is not counted", func(f *sheet) { delete(f.paid, "phone") }, []string{"paid_matches_rows"}},
		{"a payment is counted for another SKU", func(f *sheet) {
			f.paid = map[string]paidFacts{"case": {1, 1}}
		}, []string{"paid_matches_rows", "paid_matches_rows"}},
		{"a payment of two units is counted as one of two orders", func(f *sheet) { f.paid["phone"] = paidFacts{1, 2} },
			[]string{"paid_matches_rows"}},
		{"an order lost a line", func(f *sheet) { f.change(11, func(r *plainOrder) { r.lines = r.lines[1:] }) },
			[]string{"orders_are_whole", "rows_match_books", "every_row_recorded", "redis_matches_rows"}},
		{"an order has a wrong total", func(f *sheet) { f.change(11, func(r *plainOrder) { r.total++ }) },
			[]string{"orders_are_whole"}},
		{"an order has a wrong sum of units", func(f *sheet) { f.change(11, func(r *plainOrder) { r.quantity-- }) },
			[]string{"orders_are_whole"}},
		{"an order of several lines names a SKU", func(f *sheet) { f.change(11, func(r *plainOrder) { r.sku = "phone" }) },
			[]string{"orders_are_whole"}},
		{"lines without an order", func(f *sheet) { f.loose = []sale.OrderID{5} }, []string{"orders_are_whole"}},
		{"a row has another price than its record", func(f *sheet) {
			f.change(21, func(r *plainOrder) { r.lines, r.total = []line{{"phone", 1, 90}}, 90 })
		}, []string{"every_row_recorded"}},
		{"a buyer has more than the limit of a SKU", func(f *sheet) { f.change(21, func(r *plainOrder) { r.buyer = "ann" }) },
			[]string{"limit_per_buyer", "limit_per_buyer", "every_row_recorded", "redis_matches_rows"}},
		{"a buyer has more than the limit of the sale", func(f *sheet) { f.saleLimit = 2 }, []string{"limit_per_buyer"}},
		{"a key made two orders of two SKUs, one of them cancelled", func(f *sheet) {
			f.write(31, 0, "eve", sale.StatusConfirmed, phones(1))
			f.write(32, 0, "eve", sale.StatusCancelled, []line{{"case", 1, 10}})
			f.change(31, func(r *plainOrder) { r.key = "k1" })
			f.change(32, func(r *plainOrder) { r.key = "k1" })
			f.phonesOf(0).settled, f.phonesOf(0).available = 4, 1
			f.shelves[shelfID{0, "case"}].settled, f.shelves[shelfID{0, "case"}].released = 2, 1
		}, []string{"one_order_per_key"}},
	}
}

// storesApart are faults between the stores.
func storesApart() []story {
	return []story{
		{"redis applied a release twice", func(f *sheet) { f.phonesOf(0).available++ }, []string{"stock_equation"}},
		{"redis lost a unit", func(f *sheet) { f.phonesOf(1).available-- }, []string{"stock_equation"}},
		{"redis lives in another epoch", func(f *sheet) { f.buckets[1].redisEpoch = 1 }, []string{"stock_equation"}},
		{"redis lacks a SKU", func(f *sheet) {
			s := f.shelves[shelfID{1, "case"}]
			s.inRedis, s.available = false, 0
		}, []string{"stock_equation", "redis_matches_shelves"}},
		{"redis has a SKU of nobody", func(f *sheet) {
			f.shelves[shelfID{1, "bag"}] = &shelfFacts{inRedis: true, available: 1}
		}, []string{"stock_equation", "redis_matches_shelves"}},
		{"redis has another limit", func(f *sheet) { f.phonesOf(1).redisLimit++ }, []string{"redis_matches_shelves"}},
		{"a batch was never settled", func(f *sheet) {
			delete(f.markers, writeID{1, 2, 1})
		}, []string{"every_record_settled"}},
		{"a marker names another batch", func(f *sheet) { f.markers[writeID{0, 1, 1}] = 12 }, []string{"every_record_settled"}},
		{"an order of the topic has no row", func(f *sheet) { delete(f.rows, 22) }, []string{"every_record_settled"}},
		{"a row was never recorded", func(f *sheet) { delete(f.orders, 21) }, []string{"every_row_recorded"}},
		{"a row names another quantity", func(f *sheet) {
			f.orders[22] = plainOrder{bucket: 1, buyer: "dot", lines: together(2)}
		}, []string{"every_row_recorded"}},
		{"redis forgot an owner", func(f *sheet) { delete(f.entries, 21) }, []string{"redis_matches_rows"}},
		{"redis counts one line of an order", func(f *sheet) {
			f.entries[11] = plainOrder{bucket: 0, buyer: "ann", lines: phones(2)}
		}, []string{"redis_matches_rows"}},
		{"redis still counts a cancelled order", func(f *sheet) {
			f.entries[12] = plainOrder{bucket: 0, buyer: "bob", lines: phones(1)}
		}, []string{"redis_matches_rows"}},
		{"redis counts an order that was never settled", func(f *sheet) {
			f.entries[77] = plainOrder{bucket: 0, buyer: "eve", lines: phones(1)}
		}, []string{"redis_matches_rows"}},
	}
}

// Every fault must be reported, by the invariants that are there for it.
func TestEveryInvariantCatchesItsFault(t *testing.T) {
	for _, story := range append(booksOff(), storesApart()...) {
		t.Run(story.name, func(t *testing.T) {
			f := atRest()
			story.spoil(f)
			var told []string
			for _, line := range judge(f.read()) {
				if line.Verdict == Violated {
					told = append(told, line.Invariant)
					assert.NotEmpty(t, line.Detail)
				}
			}
			assert.Equal(t, story.told, told)
		})
	}
}

// The evidence of an invariant over SKUs names the SKU, and many faults are shown by the first ones.
func TestEvidenceNamesTheSKU(t *testing.T) {
	f := atRest()
	f.phonesOf(0).available--
	f.shelves[shelfID{0, "case"}].available++
	assert.Contains(t, judge(f.read()), Line{"rush", "phone", "stock_equation", Violated,
		"loaded 10, available 6, in flight 0, settled 4, released 1: difference 1"})
	assert.Contains(t, judge(f.read()), Line{"rush", "case", "stock_equation", Violated,
		"loaded 3, available 3, in flight 0, settled 1, released 0: difference -1"})
	f = atRest()
	for id := range sale.OrderID(100) {
		f.loose = append(f.loose, id)
	}
	assert.Len(t, judge(f.read()), len(invariants)-1+maxEvidence)
}

// Other buyers may send the same key, a refused order frees it, and orders without a key are not compared.
func TestKeysThatMakeOneOrder(t *testing.T) {
	f := newSheet("rush")
	add := func(buyer string, status sale.OrderStatus, key string) {
		f.rows[sale.OrderID(len(f.rows))] = plainOrder{buyer: buyer, status: status, key: key}
	}
	add("ann", sale.StatusRefused, "k1")
	add("ann", sale.StatusRefused, "k1")
	add("ann", sale.StatusPaid, "k1")
	add("ann", sale.StatusPaid, "k2")
	add("ann", sale.StatusPaid, "")
	add("ann", sale.StatusPaid, "")
	add("bob", sale.StatusExpired, "k1")
	assert.Empty(t, repeatedKey(f.read()))
	add("bob", sale.StatusCancelled, "k1")
	assert.Equal(t, []evidence{{"", `key "k1" of buyer bob made orders 6 and 7`}}, repeatedKey(f.read()))
}

// Records in a dead letter or in a fork are not faults; a sale in motion is not judged across stores.
func TestWhatIsNoFault(t *testing.T) {
	f := atRest()
	delete(f.rows, 22)
	delete(f.markers, writeID{1, 1, 1})
	f.moveToDeadLetters(22, writeID{1, 1, 1}, plainOrder{bucket: 1, buyer: "dot", lines: together(1)})
	f.records[writeID{0, 1, 1}] = append(f.records[writeID{0, 1, 1}], 12)
	f.forks[writeID{0, 1, 1}] = []sale.OrderID{12}
	for invariant, verdict := range verdicts(f) {
		assert.Equal(t, Holds, verdict, invariant)
	}
	f = atRest()
	f.resting = false
	f.phonesOf(0).settled++
	assert.Equal(t, map[string]Verdict{
		"no_oversell": Holds, "loaded_matches_stock": Holds, "orders_are_whole": Holds, "rows_match_books": Violated,
		"paid_matches_rows": Holds,
		"limit_per_buyer":   Holds, "one_order_per_key": Holds, "stock_equation": NotJudged,
		"every_record_settled": NotJudged, "every_row_recorded": NotJudged, "redis_matches_shelves": NotJudged,
		"redis_matches_rows": NotJudged,
	}, verdicts(f))
}

// Of an archived sale Redis has nothing: what it would be compared with is judged, and nothing else is left out.
func TestArchivedSaleIsJudgedByWhatIsLeft(t *testing.T) {
	f := atRest()
	f.archived = true
	f.entries = map[sale.OrderID]plainOrder{}
	for _, b := range f.buckets {
		b.state, b.epoch, b.redisEpoch, b.redisSequence = sale.BucketArchived, b.epoch+1, 0, 0
	}
	for _, s := range f.shelves {
		s.inRedis, s.available = false, 0
	}
	require.True(t, f.quiet(map[int32]int64{0: 7}, map[int32]int64{0: 7}))
	require.False(t, f.quiet(map[int32]int64{0: 6}, map[int32]int64{0: 7}))
	for invariant, verdict := range verdicts(f) {
		switch invariant {
		case "stock_equation", "redis_matches_shelves", "redis_matches_rows":
			assert.Equal(t, NotJudged, verdict, invariant)
		default:
			assert.Equal(t, Holds, verdict, invariant)
		}
	}
	f.phonesOf(0).settled++
	assert.Equal(t, Violated, verdicts(f)["rows_match_books"])
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
	for _, line := range judge(f.read()) {
		want := Line{Sale: "rush", Invariant: line.Invariant, Verdict: Holds}
		if line.Invariant == "every_row_recorded" {
			want.Verdict = NotJudged
			want.Detail = "the topic no longer has the records of 2 rows: they were deleted because of their age"
		}
		assert.Equal(t, want, line)
	}
	f.orders[12] = plainOrder{bucket: 0, buyer: "eve", lines: phones(1)}
	assert.Equal(t, Violated, verdicts(f)["every_row_recorded"], "a record that is there differs")
	f.orders[12] = plainOrder{bucket: 0, buyer: "bob", lines: phones(1)}
	delete(f.orders, 21)
	assert.Equal(t, Violated, verdicts(f)["every_row_recorded"], "its partition is whole")
}

// moveToDeadLetters puts an order into a dead letter of its own.
func (s *sheet) moveToDeadLetters(id sale.OrderID, at writeID, r plainOrder) {
	s.dead[id] = true
	s.letter(at, id, map[sale.OrderID]plainOrder{id: r}, nil)
	s.orders[id], s.records[at] = r, append(s.records[at], id)
}

// Units in the dead letters are in flight: as many of each SKU as Redis has taken for them in the present epoch.
func TestDeadLettersAreInFlight(t *testing.T) {
	taken := plainOrder{bucket: 0, buyer: "eve", lines: together(1)}
	f := atRest()
	f.moveToDeadLetters(51, writeID{0, 1, 5}, taken)
	f.entries[51] = taken
	f.phonesOf(0).available--
	f.shelves[shelfID{0, "case"}].available--
	assert.EqualValues(t, 1, f.stock()["phone"].InFlight)
	assert.EqualValues(t, 1, f.stock()["case"].InFlight)
	for _, line := range judge(f.read()) {
		assert.Equal(t, Holds, line.Verdict, "%s: %s", line.Invariant, line.Detail)
	}
	f.markers[writeID{0, 1, 5}] = 51
	assert.Zero(t, f.stock()["phone"].InFlight, "it has settled meanwhile")
	f = atRest()
	f.moveToDeadLetters(51, writeID{1, 1, 9}, plainOrder{bucket: 1, buyer: "eve", lines: phones(2)})
	assert.Zero(t, f.stock()["phone"].InFlight, "the rebuild of the next epoch gave it back")
	f.moveToDeadLetters(52, writeID{0, 1, 5}, taken)
	assert.Zero(t, f.stock()["phone"].InFlight, "Redis never took it")
	assert.Equal(t, Holds, verdicts(f)["stock_equation"])

	f = atRest()
	at := writeID{1, 2, 3}
	f.letter(at, 60, nil, map[string]int64{"phone": 3, "case": 1})
	f.records[at] = []sale.OrderID{60}
	f.phonesOf(1).available -= 3
	f.shelves[shelfID{1, "case"}].available--
	for _, line := range judge(f.read()) {
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
	report := func(all ...*sheet) *Report {
		var read []*facts
		for _, one := range all {
			read = append(read, one.read())
		}
		return (&reading{facts: read, records: 5, unreadable: 1}).report(Servers{Redis: "7"})
	}
	good := report(atRest())
	assert.Equal(t, Holds, good.Verdict)
	assert.Equal(t, Counts{
		Records: 5, Unreadable: 1, Orders: 4, Entries: 3,
		Rows: map[string]int64{"confirmed": 1, "cancelled": 1, "paid": 1, "refused": 1},
	}, good.Counts)
	moving, bad := atRest(), atRest()
	moving.resting = false
	bad.phonesOf(0).available++
	assert.Equal(t, NotJudged, report(atRest(), moving).Verdict)
	assert.Equal(t, Violated, report(moving, bad).Verdict)
	assert.Equal(t, Holds, report().Verdict)
}

func TestQuiet(t *testing.T) {
	ends := map[int32]int64{0: 7}
	require.True(t, atRest().quiet(map[int32]int64{0: 7}, ends))
	for name, spoil := range map[string]func(*sheet){
		"journal":  func(f *sheet) { f.buckets[1].journal = 1 },
		"outbox":   func(f *sheet) { f.buckets[0].waiting = 1 },
		"rebuild":  func(f *sheet) { f.buckets[0].state = sale.BucketLoading },
		"unloaded": func(f *sheet) { f.buckets[1].partition = 1; f.buckets[1].state = sale.BucketClosed },
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
