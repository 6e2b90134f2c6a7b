package audit

import (
	"database/sql/driver"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Of orders that were read twice the last reading counts.
func TestDistinctOrders(t *testing.T) {
	read := []seen{{id: 3, turn: 0, buyer: 1}, {id: 1, turn: 1}, {id: 3, turn: 2, buyer: 2}, {id: 2, turn: 3},
		{id: 3, turn: 4, buyer: 3}}
	require.Equal(t, []seen{{id: 1, turn: 1}, {id: 2, turn: 3}, {id: 3, turn: 4, buyer: 3}}, distinct(read))
	require.Empty(t, distinct(nil))
}

// Rows meet the orders of the same ids, as they would by a map.
func TestRowsMeetTheirOrders(t *testing.T) {
	for range 200 {
		var rows []row
		var orders []seen
		byID := map[sale.OrderID]uint32{}
		settled := map[sale.OrderID]bool{}
		for id := range sale.OrderID(12) {
			if rand.IntN(2) == 0 {
				rows, settled[id] = append(rows, row{id: id}), true
			}
			if rand.IntN(2) == 0 {
				byID[id] = rand.Uint32()
				orders = append(orders, seen{id: id, buyer: byID[id]})
			}
		}
		met := 0
		for r, order := range paired(rows, orders) {
			buyer, known := byID[r.id]
			require.Equal(t, known, order != nil)
			require.Equal(t, order, seenOf(orders, r.id))
			if known {
				require.Equal(t, buyer, order.buyer)
			}
			met++
		}
		require.Len(t, rows, met)
		for order := range rowless(orders, rows) {
			require.False(t, settled[order.id])
			require.Nil(t, rowOf(rows, order.id))
			delete(byID, order.id)
		}
		for id := range byID {
			require.True(t, settled[id], "passed over")
			require.Equal(t, id, rowOf(rows, id).id)
		}
	}
}

// A judge that ends early ends the passes.
func TestPassesEndEarly(t *testing.T) {
	rows, orders := []row{{id: 1}, {id: 2}}, []seen{{id: 3}, {id: 4}}
	for range paired(rows, orders) {
		break
	}
	for order := range rowless(orders, rows) {
		require.EqualValues(t, 3, order.id)
		break
	}
}

func TestMarks(t *testing.T) {
	m := marks{{writeID{1, 1, 1}, 9}, {writeID{0, 1, 2}, 5}, {writeID{0, 1, 2}, 4}, {writeID{0, 1, 2}, 5}}.sorted()
	require.Equal(t, marks{{writeID{0, 1, 2}, 4}, {writeID{0, 1, 2}, 5}, {writeID{1, 1, 1}, 9}}, m)
	for _, one := range m {
		require.True(t, m.has(one))
	}
	require.False(t, m.has(mark{writeID{0, 1, 2}, 6}))
	require.False(t, marks(nil).has(m[0]))
}

// Limits over many buyers: the evidence is sorted and bounded, and does not depend on the order of reading.
func TestTheFirstEvidenceOfManyBuyers(t *testing.T) {
	f := newSheet("rush")
	f.items["phone"] = &itemFacts{limit: 1}
	var names []string
	for n := range 3000 {
		name := string([]byte{'a' + byte(n/676), 'a' + byte(n/26%26), 'a' + byte(n%26)})
		names = append(names, name)
		f.rows[sale.OrderID(n)] = plainOrder{buyer: name, status: sale.StatusPaid, lines: phones(2), key: "k"}
	}
	slices.Sort(names)
	var want []evidence
	for _, name := range names[:maxEvidence] {
		want = append(want, against("phone", "buyer %s owns 2 units, the limit is 1", name))
	}
	require.Equal(t, want, overLimit(f.read()))
	require.Empty(t, repeatedKey(f.read()), "one key of many buyers")
}

// Every rule about orders stops at as many pieces of evidence as are shown.
func TestEvidenceIsBounded(t *testing.T) {
	f := newSheet("rush")
	f.resting = true
	f.buckets[0] = &bucketFacts{epoch: 1, state: sale.BucketOpen, redisEpoch: 1}
	for id := range sale.OrderID(100) {
		f.rows[id] = plainOrder{buyer: "ann", status: sale.StatusConfirmed, lines: phones(1), sku: "phone", key: "k"}
		f.orders[1000+id] = plainOrder{buyer: "bob", lines: phones(1)}
		f.entries[2000+id] = plainOrder{buyer: "eve", lines: phones(1)}
		f.records[writeID{0, 1, int64(id)}] = []sale.OrderID{id}
	}
	for name, rule := range map[string]func(*facts) []evidence{
		"torn": torn, "repeatedKey": repeatedKey, "unsettled": unsettled, "unrecorded": unrecorded,
		"redisAgainstRows": redisAgainstRows,
	} {
		require.Len(t, rule(f.read()), maxEvidence, name)
	}
	f.records = nil
	require.Equal(t, "order 1000 is in the topic and has no row", unsettled(f.read())[0].text)
	f.rows = nil
	require.Equal(t, "order 2000 is in Redis and has no row", redisAgainstRows(f.read())[0].text)
}

// The driver reads each row into the memory of the one before. Lines of orders of several SKUs follow the rows, so the reader
// must keep none of a row's bytes, and write into none.
func TestTheDriversMemoryIsItsOwn(t *testing.T) {
	o := &orderReader{snapshot: &snapshot{facts: newFacts("s", newWords())}}
	row := func(id int64, sku string, lines int64) []driver.Value {
		return []driver.Value{id, int64(0), []byte("ann"), []byte(sku), lines, int64(5), 5 * lines, lines, []byte("paid"),
			[]byte("")}
	}
	single := row(1, "phone", 1)
	require.NoError(t, o.noteRow(single))
	require.NoError(t, o.noteRow(row(2, "", 2)))
	for _, sku := range []string{"case", "charger"} {
		require.NoError(t, o.noteLine([]driver.Value{int64(2), []byte(sku), int64(1), int64(5)}))
	}
	o.endRow()
	require.Equal(t, "phone", string(single[3].([]byte)), "the driver's memory is unchanged")
	require.Empty(t, torn(o.facts))
	require.Len(t, o.baskets.lines(o.rows[1].basket), 2)
}
