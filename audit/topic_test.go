package audit

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"flashsale/sale"
)

// The audit's own parser agrees with what the engine writes.
func TestParseRecord(t *testing.T) {
	batch := sale.Batch{
		Bucket: sale.Bucket{Sale: "rush", Number: 3}, Epoch: 2, Sequence: 9, BatchID: 41, CreatedMS: 1_800_000_000_000,
		Orders: []sale.RecordOrder{
			{OrderID: 41, Buyer: "ann", Lines: []sale.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 100},
				{SKU: "case", Quantity: 2, UnitPriceCents: 10}}},
			{OrderID: 42, Buyer: "bob", Key: "a key", Lines: []sale.Line{{SKU: "phone", Quantity: 3, UnitPriceCents: 100}}},
		},
	}
	got, ok := parseRecord(string(sale.AppendBatch(nil, &batch)))
	assert.True(t, ok)
	assert.Equal(t, plainRecord{
		sale: "rush", at: writeID{3, 2, 9}, id: 41,
		orders: map[sale.OrderID]plainOrder{
			41: {bucket: 3, buyer: "ann", lines: []line{{"case", 2, 10}, {"phone", 1, 100}}},
			42: {bucket: 3, buyer: "bob", lines: phones(3)},
		},
	}, got)
	transfer := sale.Transfer{Bucket: batch.Bucket, Epoch: 2, Sequence: 10, TransferID: 50, CreatedMS: 1, To: 1,
		Units: []sale.SKUUnits{{SKU: "phone", Units: 4}, {SKU: "case", Units: 1}}}
	got, ok = parseRecord(string(sale.AppendTransfer(nil, &transfer)))
	assert.True(t, ok)
	assert.Equal(t, plainRecord{sale: "rush", at: writeID{3, 2, 10}, id: 50, orders: map[sale.OrderID]plainOrder{},
		moved: map[string]int64{"phone": 4, "case": 1}}, got)
}

func TestParseRecordRefuses(t *testing.T) {
	whole := "fs2 batch rush 3 2 9 41 1800000000000 1\n41 phone:1:100 ann\n"
	_, ok := parseRecord(whole)
	assert.True(t, ok)
	for _, text := range []string{
		"", "\x00\xff", "fs2 fence f1\n", "fs1" + whole[3:], whole[:len(whole)-5],
		"fs2 batch rush x 2 9 41 1 1\n41 phone:1:100 ann\n",
		"fs2 batch rush 3 2 9 41 1 2\n41 phone:1:100 ann\n", "fs2 batch rush 3 2 9 41 1 1\nx phone:1:100 ann\n",
		"fs2 batch rush 3 2 9 41 1 1\n41 phone:many:100 ann\n", "fs2 batch rush 3 2 9 41 1 1\n41 phone:1 ann\n",
		"fs2 batch rush 3 2 9 41 1 1\n41 phone:1:free ann\n", "fs2 batch rush 3 2 9 41 1 1\n41 phone:1:1, ann\n",
		"fs2 transfer rush 3 2 9 41 1 1\n", "fs2 transfer rush 3 2 9 41 1 1 phone:some\n",
		"fs2 transfer rush 3 2 9 41 1 1 phone\n",
	} {
		_, ok := parseRecord(text)
		assert.False(t, ok, "%q", text)
	}
	assert.True(t, isFence([]byte("fs2 fence f1\n")))
	assert.False(t, isFence([]byte(whole)))
}

func TestNoteFilesRecords(t *testing.T) {
	w := newWords()
	f := newFacts("rush", w)
	r := &reading{words: w, bySale: map[string]*saleReading{"rush": {topic: f}}}
	parser := newRecordParser(w, func(saleID string) bool { return saleID == "rush" })
	text := "fs2 batch rush 0 1 1 41 1800000000000 1\n41 phone:1:100 ann\n"
	for _, value := range []string{text, text, "fs2 fence f1\n", "torn", "fs2 batch other 0 1 1 41 1 1\n41 phone:1:1 ann\n",
		"fs2 batch other 0 1 1 41 1 1\n41 phone:free ann\n"} {
		r.note(parser, []byte(value))
	}
	f.sort()
	assert.EqualValues(t, 2, r.records)
	assert.EqualValues(t, 2, r.unreadable, "also one of a sale that is not audited")
	assert.Equal(t, marks{{writeID{0, 1, 1}, 41}}, f.records, "delivered twice it is one record")
	assert.Equal(t, map[sale.OrderID]plainOrder{41: {buyer: "ann", lines: phones(1)}}, ordersOf(w, f.orders))
}

// Of two records with the same order the later one counts.
func TestTheLaterRecordCounts(t *testing.T) {
	w := newWords()
	f := newFacts("rush", w)
	r := &reading{words: w, bySale: map[string]*saleReading{"rush": {topic: f}}}
	parser := newRecordParser(w, func(string) bool { return true })
	for _, text := range []string{
		"fs2 batch rush 0 1 1 41 1 2\n41 phone:1:100 ann\n42 phone:1:100 bob\n",
		"fs2 batch rush 0 1 2 43 1 1\n41 phone:2:100 ann k\n",
	} {
		r.note(parser, []byte(text))
	}
	f.sort()
	assert.Equal(t, map[sale.OrderID]plainOrder{41: {buyer: "ann", lines: phones(2)}, 42: {buyer: "bob", lines: phones(1)}},
		ordersOf(w, f.orders))
	assert.Len(t, f.orders, 2)
}

// Redis names SKUs by numbers, which the bucket's stock hash gives.
func TestNoteEntries(t *testing.T) {
	f := newFacts("rush", newWords())
	assert.NoError(t, f.noteShelf(1, "phone", "5 3 2 35 0 1"))
	assert.NoError(t, f.noteShelf(1, "case", "5 3 2 2 0 0"))
	assert.Equal(t, &shelfFacts{inRedis: true, available: 5, redisNumber: 35, redisLimit: 2}, f.phonesOf(1))
	skus := f.numbered(1)
	assert.Equal(t, map[int64]string{35: "phone", 2: "case"}, skus)
	assert.Empty(t, f.numbered(0))
	entries := newEntryParser(f, 1)
	assert.NoError(t, entries.note("ann", `z,z+2:3,,4,0"10,-2:2,a key,0,0"11,9,,1,1`))
	assert.Equal(t, map[sale.OrderID]plainOrder{
		35: {bucket: 1, buyer: "ann", lines: []line{{"case", 3, 0}, {"phone", 1, 0}}},
		36: {bucket: 1, buyer: "ann", lines: []line{{"case", 2, 0}}, gone: true},
		37: {bucket: 1, buyer: "ann", lines: []line{{"number 9", 1, 0}}},
	}, ordersOf(f.words, f.entries))
	for _, bad := range []string{"", "z,1", "z,1:many,1", "!,1,1", "z,!,1"} {
		assert.Error(t, entries.note("ann", bad), bad)
	}
	for _, bad := range []string{"", "1 2 3 4 5", "x 1 1 1 0 0", "1 1 1 1 0 0 0"} {
		assert.Error(t, f.noteShelf(1, "phone", bad), bad)
	}
}
