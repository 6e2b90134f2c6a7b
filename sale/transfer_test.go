package sale

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func aTransfer() Transfer {
	return Transfer{
		Bucket: Bucket{Sale: "rush", SKU: "phone", Number: 3}, Epoch: 2, Sequence: 17, TransferID: 1234567890123456789,
		CreatedMS: 1_800_000_000_000, To: 5, Units: 40,
	}
}

func TestTransferRecord(t *testing.T) {
	want := aTransfer()
	raw := AppendTransfer(nil, &want)
	assert.Equal(t, "fs1 transfer rush phone 3 2 17 1234567890123456789 1800000000000 5 40\n", string(raw))
	got, err := DecodeRecord(raw)
	require.NoError(t, err)
	assert.Equal(t, Record{Transfer: &want}, got)
	assert.Equal(t, Bucket{Sale: "rush", SKU: "phone", Number: 5}, got.Transfer.Receiver())
}

// DecodeRecord refuses every transfer that differs from the output of transfer.lua.
func TestTransferRecordRefused(t *testing.T) {
	good := aTransfer()
	for name, change := range map[string]func(*Transfer){
		"to itself":       func(tr *Transfer) { tr.To = tr.Number },
		"to no bucket":    func(tr *Transfer) { tr.To = MaxBuckets },
		"from no bucket":  func(tr *Transfer) { tr.Number = MaxBuckets },
		"no units":        func(tr *Transfer) { tr.Units = 0 },
		"too many units":  func(tr *Transfer) { tr.Units = MaxStock + 1 },
		"no id":           func(tr *Transfer) { tr.TransferID = 0 },
		"no such moment":  func(tr *Transfer) { tr.CreatedMS = MaxCreatedMS + 1 },
		"a negative sum":  func(tr *Transfer) { tr.Units = -1 },
		"a sale unlike":   func(tr *Transfer) { tr.Sale = "Rush" },
		"an SKU unlike":   func(tr *Transfer) { tr.SKU = "" },
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
		raw[:len(raw)-1], raw + "\n", raw + "x", strings.Replace(raw, " 40", " 040", 1), strings.Replace(raw, " 40", "", 1),
		strings.Replace(raw, " 40", " 40 1", 1), strings.Replace(raw, "transfer", "batch", 1),
	} {
		_, err := DecodeRecord([]byte(text))
		assert.ErrorIs(t, err, ErrRecord, "%q", text)
	}
}
