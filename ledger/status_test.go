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

// refusedAs returns the status that a refusal names, "" where there is none.
func refusedAs(err error) sale.OrderStatus {
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
			require.Equal(t, status, refusedAs(err))
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
			require.Equal(t, status, refusedAs(err))
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
		require.Equal(t, status == sale.StatusConfirmed, Expires(o, nil, noonMS), status)
		require.False(t, Expires(o, &Row{}, noonMS-1), status)
	}
	require.False(t, Expires(&sale.Order{Status: sale.StatusConfirmed}, nil, noonMS), "without a deadline")
}
