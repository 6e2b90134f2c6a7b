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
		OrderID: 4242, Status: StatusConfirmed, Sale: "demo",
		Lines: []Line{{SKU: "phone", Quantity: 2, UnitPriceCents: 129_900}}, Currency: "CNY",
		CreatedAt: Time{tenOClock}, UpdatedAt: Time{tenOClock.Add(time.Second)}, PayBy: PayBy(tenOClock, 900),
		BuyerID: "buyer-1", PaymentID: "pay-1",
	}
}

func TestOrderAsBuyersSeeIt(t *testing.T) {
	text, err := json.Marshal(sampleOrder())
	require.NoError(t, err)
	assert.JSONEq(t, `{"order_id":"4242","status":"confirmed","sale":"demo","sku":"phone","quantity":2,"unit_price_cents":129900,
		"lines":[{"sku":"phone","quantity":2,"unit_price_cents":129900}],"total_cents":259800,"currency":"CNY",
		"created_at":"2026-11-11T10:00:00.000Z","updated_at":"2026-11-11T10:00:01.000Z",
		"pay_by":"2026-11-11T10:15:00.000Z"}`, string(text))

	several := sampleOrder()
	several.Lines = append(several.Lines, Line{SKU: "case", Quantity: 1, UnitPriceCents: 100})
	text, err = json.Marshal(several)
	require.NoError(t, err)
	assert.JSONEq(t, `{"order_id":"4242","status":"confirmed","sale":"demo",
		"lines":[{"sku":"phone","quantity":2,"unit_price_cents":129900},{"sku":"case","quantity":1,"unit_price_cents":100}],
		"total_cents":259900,"currency":"CNY","created_at":"2026-11-11T10:00:00.000Z",
		"updated_at":"2026-11-11T10:00:01.000Z","pay_by":"2026-11-11T10:15:00.000Z"}`, string(text))

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
	assert.Len(t, members, 14)

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
	s.Items = append(s.Items, Item{SKU: "case", Stock: 5, PerBuyerLimit: new(int)})
	item, found := s.Item("case")
	assert.True(t, found)
	assert.Equal(t, int64(5), item.Stock)
	assert.Equal(t, 1, s.LimitOf(&s.Items[0]), "the sale's")
	assert.Zero(t, s.LimitOf(&item), "its own")
	_, found = s.Item("Phone")
	assert.False(t, found, "case counts")
}

func TestWindowOfASale(t *testing.T) {
	s := validSale()
	s.Version, s.State, s.SaleLimit = 7, StateOpen, 9
	assert.Equal(t, Window{
		Version: 7, State: StateOpen, StartsMS: s.StartsAt.UnixMilli(), EndsMS: s.EndsAt.UnixMilli(), Limit: 9,
	}, WindowOf(&s))
}

func TestBucketsOfASale(t *testing.T) {
	s := validSale()
	s.Buckets = 2
	assert.Equal(t, []Bucket{{Sale: "demo"}, {Sale: "demo", Number: 1}}, s.BucketNames())
}

func TestItemsThatAreTheSame(t *testing.T) {
	one, other := 1, 1
	item := Item{SKU: "phone", Stock: 1, PriceCents: 2, Name: "Phone", PerBuyerLimit: &one, Number: 3}
	same := item
	same.PerBuyerLimit, same.Number = &other, 0
	assert.True(t, item.Same(&same), "limits are compared by value, numbers not at all")
	two := 2
	for name, change := range map[string]func(*Item){
		"sku": func(i *Item) { i.SKU = "Phone" }, "stock": func(i *Item) { i.Stock++ }, "price": func(i *Item) { i.PriceCents++ },
		"name": func(i *Item) { i.Name = "" }, "limit": func(i *Item) { i.PerBuyerLimit = &two },
		"no limit": func(i *Item) { i.PerBuyerLimit = nil },
	} {
		changed := item
		change(&changed)
		assert.False(t, item.Same(&changed), name)
		assert.False(t, changed.Same(&item), name)
	}
}

func TestOrderHasItsSKUs(t *testing.T) {
	o := sampleOrder()
	assert.True(t, o.Has("phone"))
	assert.False(t, o.Has("case"))
}

func TestErrorsNameWhatTheyAreAbout(t *testing.T) {
	state := &StateError{State: StateClosed, Detail: "a closed sale does not open again"}
	assert.Equal(t, "a closed sale does not open again (the sale is closed)", state.Error())
	assert.Equal(t, "items[2].stock: must be 0 to 5", Fieldf("items[2].stock", "must be 0 to %d", 5).Error())

	version := &VersionError{Present: 4}
	assert.Equal(t, "version is not the present one: it is 4", version.Error())
	assert.ErrorIs(t, version, ErrVersionConflict)
	assert.Equal(t, "the order is held", (&StatusError{Status: StatusHeld}).Error())
	assert.Equal(t, `the order was paid by payment "p-1"`, (&PaidError{PaymentID: "p-1"}).Error())
	poison := &PoisonError{Index: 3, Reason: PoisonData, Err: io.ErrUnexpectedEOF}
	assert.Equal(t, "record 3 cannot settle (data): unexpected EOF", poison.Error())
	var found *PoisonError
	require.True(t, errors.As(errors.Join(errors.New("settle"), poison), &found))
	assert.ErrorIs(t, found, io.ErrUnexpectedEOF)
}
