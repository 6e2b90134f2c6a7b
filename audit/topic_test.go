package audit

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"flashsale/sale"
)

// The audit's own parser agrees with what the engine writes.
func TestParseRecord(t *testing.T) {
	batch := sale.Batch{
		Bucket: sale.Bucket{Sale: "rush", SKU: "phone", Number: 3}, Epoch: 2, Sequence: 9, BatchID: 41,
		CreatedMS: 1_800_000_000_000,
		Orders: []sale.RecordOrder{{OrderID: 41, Quantity: 1, Buyer: "ann"},
			{OrderID: 42, Quantity: 3, Buyer: "bob", Key: "a key"}},
	}
	got, ok := parseRecord(string(sale.AppendBatch(nil, &batch)))
	assert.True(t, ok)
	assert.Equal(t, recorded{
		sale: "rush", sku: "phone", at: writeID{3, 2, 9}, id: 41,
		orders: map[sale.OrderID]row{41: {bucket: 3, buyer: "ann", quantity: 1}, 42: {bucket: 3, buyer: "bob", quantity: 3}},
	}, got)
	transfer := sale.Transfer{Bucket: batch.Bucket, Epoch: 2, Sequence: 10, TransferID: 50, CreatedMS: 1, To: 1, Units: 4}
	got, ok = parseRecord(string(sale.AppendTransfer(nil, &transfer)))
	assert.True(t, ok)
	assert.Equal(t, recorded{sale: "rush", sku: "phone", at: writeID{3, 2, 10}, id: 50, orders: map[sale.OrderID]row{}, moved: 4},
		got)
}

func TestParseRecordRefuses(t *testing.T) {
	whole := "fs1 batch rush phone 3 2 9 41 1800000000000 1\n41 1 ann\n"
	_, ok := parseRecord(whole)
	assert.True(t, ok)
	for _, text := range []string{
		"", "\x00\xff", "fs1 fence f1\n", "fs9" + whole[3:], whole[:len(whole)-5],
		"fs1 batch rush phone x 2 9 41 1 1\n41 1 ann\n",
		"fs1 batch rush phone 3 2 9 41 1 2\n41 1 ann\n", "fs1 batch rush phone 3 2 9 41 1 1\nx 1 ann\n",
		"fs1 batch rush phone 3 2 9 41 1 1\n41 many ann\n", "fs1 transfer rush phone 3 2 9 41 1 1\n",
		"fs1 transfer rush phone 3 2 9 41 1 1 some\n",
	} {
		_, ok := parseRecord(text)
		assert.False(t, ok, "%q", text)
	}
	assert.True(t, isFence("fs1 fence f1\n"))
	assert.False(t, isFence(whole))
}

func TestNoteFilesRecords(t *testing.T) {
	f := newFacts("rush", "phone", 1)
	r := &reading{}
	byItem := map[[2]string]*facts{{"rush", "phone"}: f}
	text := "fs1 batch rush phone 0 1 1 41 1800000000000 1\n41 1 ann\n"
	for _, value := range []string{text, text, "fs1 fence f1\n", "torn", "fs1 batch other phone 0 1 1 41 1 1\n41 1 ann\n"} {
		r.note(byItem, value)
	}
	assert.EqualValues(t, 2, r.records)
	assert.EqualValues(t, 1, r.unreadable)
	assert.Equal(t, map[writeID][]sale.OrderID{{0, 1, 1}: {41}}, f.records, "delivered twice it is one record")
	assert.Equal(t, map[sale.OrderID]row{41: {buyer: "ann", quantity: 1}}, f.orders)
}

func TestNoteEntries(t *testing.T) {
	f := newFacts("rush", "phone", 2)
	assert.NoError(t, f.noteEntries(1, "ann", `z,1,,4,0"10,-2,a key,0,0`))
	assert.Equal(t, map[sale.OrderID]row{35: {bucket: 1, buyer: "ann", quantity: 1}, 36: {bucket: 1, buyer: "ann", quantity: -2}},
		f.entries)
	for _, bad := range []string{"", "z,1", "z,many,1", "!,1,1"} {
		assert.Error(t, f.noteEntries(1, "ann", bad), bad)
	}
}
