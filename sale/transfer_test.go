package sale

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func aTransfer() Transfer {
	return Transfer{
		Bucket: Bucket{Sale: "rush", Number: 3}, Epoch: 2, Sequence: 17, TransferID: 1234567890123456789,
		CreatedMS: 1_800_000_000_000, To: 5, Units: []SKUUnits{{SKU: "phone", Units: 40}, {SKU: "Case.1", Units: MaxStock}},
	}
}

func TestTransferRecord(t *testing.T) {
	want := aTransfer()
	raw := AppendTransfer(nil, &want)
	assert.Equal(t, "fs2 transfer rush 3 2 17 1234567890123456789 1800000000000 5 phone:40,Case.1:10000000\n", string(raw))
	got, err := DecodeRecord(raw)
	require.NoError(t, err)
	assert.Equal(t, Record{Transfer: &want}, got)
	assert.Equal(t, Bucket{Sale: "rush", Number: 5}, got.Transfer.Receiver())
}

// DecodeRecord refuses every transfer that differs from the output of transfer.lua.
func TestTransferRecordRefused(t *testing.T) {
	good := aTransfer()
	for name, change := range map[string]func(*Transfer){
		"to itself":       func(tr *Transfer) { tr.To = tr.Number },
		"to no bucket":    func(tr *Transfer) { tr.To = MaxBuckets },
		"from no bucket":  func(tr *Transfer) { tr.Number = MaxBuckets },
		"no units":        func(tr *Transfer) { tr.Units = nil },
		"too many units":  func(tr *Transfer) { tr.Units = []SKUUnits{{"phone", MaxStock + 1}} },
		"no id":           func(tr *Transfer) { tr.TransferID = 0 },
		"no such moment":  func(tr *Transfer) { tr.CreatedMS = MaxCreatedMS + 1 },
		"a negative sum":  func(tr *Transfer) { tr.Units = []SKUUnits{{"phone", -1}} },
		"a sale unlike":   func(tr *Transfer) { tr.Sale = "_rush" },
		"a SKU unlike":    func(tr *Transfer) { tr.Units = []SKUUnits{{"", 1}} },
		"a SKU twice":     func(tr *Transfer) { tr.Units = append(tr.Units, tr.Units[0]) },
		"negative epoch":  func(tr *Transfer) { tr.Epoch = -2 },
		"negative number": func(tr *Transfer) { tr.Number = -1 },
	} {
		bad := good
		change(&bad)
		_, err := DecodeRecord(AppendTransfer(nil, &bad))
		assert.ErrorIs(t, err, ErrRecord, name)
	}
	raw := string(AppendTransfer(nil, &good))
	for _, text := range []string{
		raw[:len(raw)-1], raw + "\n", raw + "x", strings.Replace(raw, ":40", ":040", 1),
		strings.Replace(raw, " phone:40", "", 1), strings.Replace(raw, ":40", ":40 1", 1),
		strings.Replace(raw, "transfer", "batch", 1),
	} {
		_, err := DecodeRecord([]byte(text))
		assert.ErrorIs(t, err, ErrRecord, "%q", text)
	}
}

func drawTransfer(t *rapid.T) *Transfer {
	bucket := drawBucket(t, "bucket")
	return &Transfer{
		Bucket: bucket, Epoch: rapid.Int64Range(0, math.MaxInt64).Draw(t, "epoch"),
		Sequence:   rapid.Int64Range(0, math.MaxInt64).Draw(t, "sequence"),
		TransferID: OrderID(rapid.Int64Range(1, math.MaxInt64).Draw(t, "id")),
		CreatedMS:  rapid.Int64Range(0, MaxCreatedMS).Draw(t, "created"),
		To:         (bucket.Number + rapid.IntRange(1, MaxBuckets-1).Draw(t, "apart")) % MaxBuckets, Units: drawUnits(t),
	}
}

func TestTransfersRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawTransfer(t)
		got, err := DecodeRecord(AppendTransfer(nil, want))
		require.NoError(t, err)
		require.Equal(t, Record{Transfer: want}, got)
	})
}

func TestTheLargestTransferFitsARecord(t *testing.T) {
	largest := aTransfer()
	largest.Units = make([]SKUUnits, MaxTransferSKUs)
	for i := range largest.Units {
		largest.Units[i] = SKUUnits{longSKU(i), MaxStock}
	}
	raw := AppendTransfer(nil, &largest)
	require.LessOrEqual(t, len(raw), MaxRecordBytes)
	got, err := DecodeRecord(raw)
	require.NoError(t, err)
	require.Equal(t, &largest, got.Transfer)
}
