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
		OrderID: id, Status: status, Sale: "autumn", Lines: []Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129900}},
		Currency: "CNY", CreatedAt: Time{noon}, UpdatedAt: Time{noon.Add(time.Second)}, PayBy: PayBy(noon, 900), BuyerID: "ann",
	}
}

// orderAsJSON is the order with the members that encoding/json writes by their tags: sku, quantity and price of the line where
// there is one, and all lines.
type orderAsJSON struct {
	OrderID   OrderID     `json:"order_id"`
	Status    OrderStatus `json:"status"`
	Reason    OrderReason `json:"reason,omitempty"`
	Sale      string      `json:"sale"`
	*Line                 // nil where there are several
	Lines     []Line      `json:"lines"`
	Total     int64       `json:"total_cents"`
	Currency  string      `json:"currency"`
	CreatedAt Time        `json:"created_at"`
	UpdatedAt Time        `json:"updated_at"`
	PayBy     *Time       `json:"pay_by,omitempty"`
	BuyerID   string      `json:"buyer_id,omitempty"`
	PaymentID string      `json:"payment_id,omitempty"`
}

func encoded(t *testing.T, o Order, forOperator bool) string {
	t.Helper()
	as := orderAsJSON{OrderID: o.OrderID, Status: o.Status, Reason: o.Reason, Sale: o.Sale, Lines: o.Lines,
		Total: TotalCents(o.Lines), Currency: o.Currency, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, PayBy: o.PayBy}
	if len(o.Lines) == 1 {
		as.Line = &o.Lines[0]
	}
	if forOperator {
		as.BuyerID, as.PaymentID = o.BuyerID, o.PaymentID
	}
	text, err := json.Marshal(as)
	require.NoError(t, err)
	return string(text)
}

func TestOrdersEncodeAsJSONWould(t *testing.T) {
	refused := orderRow(1<<62, StatusRefused)
	refused.Reason, refused.PayBy = ReasonDeadLetter, nil
	taken := orderRow(8, StatusQueued)
	taken.UpdatedAt = taken.CreatedAt
	paid := orderRow(9, StatusPaid)
	paid.PaymentID = "p-1"
	several := orderRow(10, StatusConfirmed)
	several.Lines = []Line{{SKU: "phone", Quantity: 2, UnitPriceCents: 129900, Number: 4}, {SKU: "Case.1", Quantity: 100}}
	for _, order := range []Order{orderRow(7, StatusPaid), refused, taken, paid, several} {
		require.Equal(t, encoded(t, order, false), string(AppendOrder(nil, &order)))
		require.Equal(t, encoded(t, order, true), string(AppendOperatorOrder(nil, &order)))
		text, err := json.Marshal(order)
		require.NoError(t, err)
		require.Equal(t, encoded(t, order, false), string(text))
		text, err = json.Marshal(order.ForOperator())
		require.NoError(t, err)
		require.Equal(t, encoded(t, order, true), string(text))
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
