package sale

import (
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var tenOClock = time.Date(2026, 11, 11, 10, 0, 0, 0, time.UTC)

func sampleOrder() Order {
	return Order{
		OrderID: 4242, Status: StatusConfirmed, Sale: "demo", SKU: "phone", Quantity: 2, UnitPriceCents: 129_900,
		Currency: "CNY", CreatedAt: Time{tenOClock}, UpdatedAt: Time{tenOClock.Add(time.Second)}, PayBy: PayBy(tenOClock, 900),
		BuyerID: "buyer-1", PaymentID: "pay-1",
	}
}

func TestOrderAsBuyersSeeIt(t *testing.T) {
	text, err := json.Marshal(sampleOrder())
	require.NoError(t, err)
	assert.JSONEq(t, `{"order_id":"4242","status":"confirmed","sale":"demo","sku":"phone","quantity":2,"unit_price_cents":129900,
		"currency":"CNY","created_at":"2026-11-11T10:00:00.000Z","updated_at":"2026-11-11T10:00:01.000Z",
		"pay_by":"2026-11-11T10:15:00.000Z"}`, string(text))

	refused := sampleOrder()
	refused.Status, refused.Reason, refused.PayBy = StatusRefused, ReasonFenced, nil
	text, err = json.Marshal(refused)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"status":"refused","reason":"fenced"`)
	assert.NotContains(t, string(text), "pay_by")
	assert.NotContains(t, string(text), "buyer-1", "buyers' answers do not repeat who asked")
}

func TestOrderAsOperatorsSeeIt(t *testing.T) {
	text, err := json.Marshal(sampleOrder().ForOperator())
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(text, &members))
	assert.Equal(t, "buyer-1", members["buyer_id"])
	assert.Equal(t, "pay-1", members["payment_id"])
	assert.Equal(t, "4242", members["order_id"])
	assert.Len(t, members, 12)

	unpaid := sampleOrder()
	unpaid.PaymentID = ""
	text, err = json.Marshal(unpaid.ForOperator())
	require.NoError(t, err)
	assert.NotContains(t, string(text), "payment_id")
}

func TestOrdersSurviveJSON(t *testing.T) {
	want := sampleOrder().ForOperator()
	text, err := json.Marshal(want)
	require.NoError(t, err)
	var got OperatorOrder
	require.NoError(t, json.Unmarshal(text, &got))
	want.Order.BuyerID, want.Order.PaymentID = "", "" // stand beside the order, not in it
	assert.Equal(t, want, got)
}

func TestPendingIsWhatMayStillChangeByItself(t *testing.T) {
	for status, pending := range map[OrderStatus]bool{
		StatusHeld: true, StatusQueued: true, StatusConfirmed: false, StatusPaid: false, StatusCancelled: false,
		StatusExpired: false, StatusRefused: false,
	} {
		assert.Equal(t, pending, status.Pending(), status)
	}
}

func TestPayBy(t *testing.T) {
	assert.Nil(t, PayBy(tenOClock, 0), "never")
	assert.Equal(t, Time{tenOClock.Add(30 * time.Second)}, *PayBy(tenOClock, MinPaymentTTL))
	assert.Equal(t, Time{tenOClock.AddDate(0, 0, 7)}, *PayBy(tenOClock, MaxPaymentTTL))
}

func TestItemOfASale(t *testing.T) {
	s := validSale()
	s.Items = append(s.Items, Item{SKU: "case", Stock: 5, Buckets: 1})
	item, found := s.Item("case")
	assert.True(t, found)
	assert.Equal(t, int64(5), item.Stock)
	_, found = s.Item("Phone")
	assert.False(t, found, "case counts")
}

func TestWindowOfASale(t *testing.T) {
	s := validSale()
	s.Version, s.State = 7, StateOpen
	assert.Equal(t, Window{
		Version: 7, State: StateOpen, StartsMS: s.StartsAt.UnixMilli(), EndsMS: s.EndsAt.UnixMilli(), Limit: s.PerBuyerLimit,
	}, WindowOf(&s))
}

func TestErrorsNameWhatTheyAreAbout(t *testing.T) {
	state := &StateError{State: StateClosed, Detail: "a closed sale does not open again"}
	assert.Equal(t, "a closed sale does not open again (the sale is closed)", state.Error())
	assert.Equal(t, "items[2].stock: must be 0 to 5", Fieldf("items[2].stock", "must be 0 to %d", 5).Error())

	poison := &PoisonError{Index: 3, Reason: PoisonData, Err: io.ErrUnexpectedEOF}
	assert.Equal(t, "record 3 cannot settle (data): unexpected EOF", poison.Error())
	var found *PoisonError
	require.True(t, errors.As(errors.Join(errors.New("settle"), poison), &found))
	assert.ErrorIs(t, found, io.ErrUnexpectedEOF)
}
