package sale

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// orderRow returns an order of the buyer ann.
func orderRow(id OrderID, status OrderStatus) Order {
	noon := time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)
	return Order{
		OrderID: id, Status: status, Sale: "autumn", SKU: "phone", Quantity: 1, UnitPriceCents: 129900, Currency: "CNY",
		CreatedAt: Time{noon}, UpdatedAt: Time{noon.Add(time.Second)}, PayBy: PayBy(noon, 900), BuyerID: "ann",
	}
}

func TestOrdersEncodeAsJSONWould(t *testing.T) {
	refused := orderRow(1<<62, StatusRefused)
	refused.Reason, refused.PayBy = ReasonDeadLetter, nil
	taken := orderRow(8, StatusQueued)
	taken.UpdatedAt = taken.CreatedAt
	paid := orderRow(9, StatusPaid)
	paid.PaymentID = "p-1"
	for _, order := range []Order{orderRow(7, StatusPaid), refused, taken, paid} {
		expected, err := json.Marshal(order)
		require.NoError(t, err)
		require.Equal(t, string(expected), string(AppendOrder(nil, &order)))
		expected, err = json.Marshal(order.ForOperator())
		require.NoError(t, err)
		require.Equal(t, string(expected), string(AppendOperatorOrder(nil, &order)))
	}
}

func TestTextEncodesAsJSONWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z<>&"\\\x00-\x20\x7f]*`)).Draw(t, "text")
		expected, err := json.Marshal(text)
		require.NoError(t, err)
		require.Equal(t, "x"+string(expected), string(AppendText([]byte("x"), text)))
	})
}

func TestTimesEncodeInTheLayout(t *testing.T) {
	noon := time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{
		noon, time.Unix(0, 0), time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.FixedZone("east", 7200)),
		time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	} {
		require.Equal(t, Time{at}.String(), string(AppendTime(nil, at)))
	}
}
