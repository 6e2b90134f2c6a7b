package ledger

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var statuses = []sale.OrderStatus{
	sale.StatusHeld, sale.StatusQueued, sale.StatusConfirmed, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired,
	sale.StatusRefused,
}

// of returns the status that a refusal names, "" where there is none.
func of(err error) sale.OrderStatus {
	var wrong *sale.StatusError
	if errors.As(err, &wrong) {
		return wrong.Status
	}
	return ""
}

func TestCancels(t *testing.T) {
	for _, status := range statuses {
		moves, err := Cancels(&sale.Order{Status: status})
		switch status {
		case sale.StatusConfirmed:
			require.True(t, moves)
			require.NoError(t, err)
		case sale.StatusCancelled:
			require.False(t, moves, "the units went back before")
			require.NoError(t, err)
		default:
			require.False(t, moves)
			require.Equal(t, status, of(err))
		}
	}
}

func TestPays(t *testing.T) {
	for _, status := range statuses {
		moves, err := Pays(&sale.Order{Status: status, PaymentID: "p-1"}, "p-1")
		switch status {
		case sale.StatusConfirmed:
			require.True(t, moves)
			require.NoError(t, err)
		case sale.StatusPaid:
			require.False(t, moves)
			require.NoError(t, err, "the same payment again")
		default:
			require.False(t, moves)
			require.Equal(t, status, of(err))
		}
	}
	_, err := Pays(&sale.Order{Status: sale.StatusPaid, PaymentID: "p-1"}, "p-2")
	var paid *sale.PaidError
	require.ErrorAs(t, err, &paid)
	require.Equal(t, "p-1", paid.PaymentID)
}

func TestExpires(t *testing.T) {
	deadline := sale.TimeMillis(noonMS)
	for _, status := range statuses {
		o := &sale.Order{Status: status, PayBy: &deadline}
		require.Equal(t, status == sale.StatusConfirmed, Expires(o, noonMS), status)
		require.False(t, Expires(o, noonMS-1), status)
	}
	require.False(t, Expires(&sale.Order{Status: sale.StatusConfirmed}, noonMS), "without a deadline")
}

func TestBegin(t *testing.T) {
	row := stateOf(true, 1, 10).Stock[bucketNo(0)]
	require.False(t, row.MayBegin(1), "an open bucket begins nothing")
	row.State = sale.BucketClosed
	require.True(t, row.MayBegin(1))
	require.False(t, row.MayBegin(2))
	row.Settled, row.Released, row.SettledEpoch, row.MovedEpoch, row.GivenEpoch, row.Sequence, row.Outbox = 7, 2, 5, 1, 2, 9, 4
	load := row.Begin()
	require.EqualValues(t, 5, load.Available)
	require.EqualValues(t, 4, load.Outbox)
	require.EqualValues(t, 2, load.Epoch)
	require.Equal(t, sale.BucketLoading, load.State)
	require.Equal(t, load.BucketRow, row.BucketRow)
	require.Zero(t, row.SettledEpoch+row.MovedEpoch+row.GivenEpoch+row.Sequence)
	require.True(t, row.MayBegin(2), "one that a dead role left loading is taken over")
}

func TestMoveObeysItsGuard(t *testing.T) {
	row := stateOf(true, 1, 10).Stock[bucketNo(0)]
	row.Settled, row.Released = 9, 2
	before := *row
	for name, m := range map[string]Move{
		"another epoch":     {Epoch: 2, Gain: Gain{Settled: 1}},
		"beyond loaded":     {Epoch: 1, Gain: Gain{Settled: 4}},
		"taken out":         {Epoch: 1, Gain: Gain{Loaded: -4}},
		"both are too many": {Epoch: 1, Gain: Gain{Loaded: -2, Settled: 2}},
	} {
		require.False(t, m.Apply(row), name)
		require.Equal(t, before, *row, name)
	}
	fits := Move{Epoch: 1, Sequence: 5, Gain: Gain{Loaded: -1, Settled: 3, Released: 1, SettledEpoch: 4, MovedEpoch: 1,
		GivenEpoch: 1, Outbox: 1}}
	require.True(t, fits.Apply(row))
	require.EqualValues(t, 9, row.Loaded)
	require.EqualValues(t, 9, row.Settled-row.Released)
	require.EqualValues(t, []int64{4, 1, 1, 1, 5},
		[]int64{row.SettledEpoch, row.MovedEpoch, row.GivenEpoch, row.Outbox, row.Sequence})
}
