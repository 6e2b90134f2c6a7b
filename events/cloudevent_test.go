package events

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/kafka"
	"flashsale/sale"
)

// cloudEvent is an event as a shop may declare it, and the expected form of what is written.
type cloudEvent struct {
	SpecVersion     string             `json:"specversion"`
	ID              string             `json:"id"`
	Source          string             `json:"source"`
	Type            string             `json:"type"`
	Subject         string             `json:"subject"`
	Time            sale.Time          `json:"time"`
	DataContentType string             `json:"datacontenttype"`
	Data            sale.OperatorOrder `json:"data"`
}

// eventsOf writes one event about each order.
func eventsOf(orders ...sale.Order) []kafka.Record {
	return newPageOfEvents("shop", []sale.OrderEvent{{ID: 1, Orders: orders}}).records
}

// fieldOf returns the value of a text member of an event.
func fieldOf(r kafka.Record, name string) string {
	var members map[string]any
	if err := json.Unmarshal(r.Value, &members); err != nil {
		return err.Error()
	}
	text, _ := members[name].(string)
	return text[strings.LastIndexByte(text, '.')+1:]
}

func TestAnEventIsACloudEvent(t *testing.T) {
	paid := order(77, sale.StatusPaid)
	paid.PaymentID = "pay-1"
	deadline := sale.TimeMillis(1_800_000_900_000)
	paid.PayBy = &deadline
	r := eventsOf(paid)[0]
	require.Len(t, r.Headers, 1)
	require.Equal(t, "content-type", string(r.Headers[0].Key))
	require.Equal(t, cloudEventsMediaType, string(r.Headers[0].Value))
	require.Equal(t, "77", string(r.Key))
	require.JSONEq(t, `{
		"specversion": "1.0", "id": "77:paid", "source": "/shop/sales/demo", "type": "flashsale.order.paid", "subject": "77",
		"time": "2027-01-15T08:00:01.077Z", "datacontenttype": "application/json",
		"data": {"order_id": "77", "status": "paid", "sale": "demo", "sku": "phone", "quantity": 1, "unit_price_cents": 129900,
			"lines": [{"sku": "phone", "quantity": 1, "unit_price_cents": 129900}], "total_cents": 129900,
			"currency": "CNY", "created_at": "2027-01-15T08:00:00.000Z", "updated_at": "2027-01-15T08:00:01.077Z",
			"pay_by": "2027-01-15T08:15:00.000Z", "buyer_id": "buyer-77", "payment_id": "pay-1"}}`, string(r.Value))
}

// An order of several lines has no SKU of its own.
func TestAnEventOfSeveralLines(t *testing.T) {
	bought := order(78, sale.StatusConfirmed)
	bought.Lines = append(bought.Lines, sale.Line{SKU: "case", Quantity: 2, UnitPriceCents: 50})
	var event struct {
		Data map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal(eventsOf(bought)[0].Value, &event))
	require.Equal(t, []any{
		map[string]any{"sku": "phone", "quantity": 1.0, "unit_price_cents": 129900.0},
		map[string]any{"sku": "case", "quantity": 2.0, "unit_price_cents": 50.0},
	}, event.Data["lines"])
	require.EqualValues(t, 130_000, event.Data["total_cents"])
	for _, ofOneLine := range []string{"sku", "quantity", "unit_price_cents"} {
		require.NotContains(t, event.Data, ofOneLine)
	}
}

// TestThePagesEventIsTheCodes: the example in the operators' page equals the code's event of such an order, except for
// spaces.
func TestThePagesEventIsTheCodes(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	_, example, found := strings.Cut(string(page), "```json\n{\"specversion\"")
	require.True(t, found)
	example, _, _ = strings.Cut(example, "```")
	example = `{"specversion"` + example
	var event cloudEvent
	require.NoError(t, json.Unmarshal([]byte(example), &event))
	order := event.Data.Order
	order.BuyerID, order.PaymentID = event.Data.BuyerID, event.Data.PaymentID
	record := newPageOfEvents("flashsale", []sale.OrderEvent{{ID: 1, Orders: []sale.Order{order}}}).records[0]
	var dense bytes.Buffer
	require.NoError(t, json.Compact(&dense, []byte(example)))
	require.Equal(t, string(record.Value), dense.String())
}

func TestEveryStatusThatIsToldHasAType(t *testing.T) {
	for _, status := range []sale.OrderStatus{
		sale.StatusConfirmed, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired, sale.StatusRefused,
	} {
		var e cloudEvent
		require.NoError(t, json.Unmarshal(eventsOf(order(1, status))[0].Value, &e))
		require.Equal(t, "flashsale.order."+string(status), e.Type)
		require.Equal(t, "1:"+string(status), e.ID)
		require.Equal(t, status, e.Data.Status)
	}
}

// An extension is an event of its own, as often as the time to pay moves; the order is confirmed still.
func TestAnExtensionIsAnEvent(t *testing.T) {
	extended := order(77, sale.StatusConfirmed)
	deadline := sale.TimeMillis(1_800_000_900_123)
	extended.PayBy = &deadline
	page := newPageOfEvents("shop", []sale.OrderEvent{{ID: 1, Orders: []sale.Order{extended}, Extended: true},
		{ID: 2, Orders: []sale.Order{extended}}})
	var e cloudEvent
	require.NoError(t, json.Unmarshal(page.records[0].Value, &e))
	require.Equal(t, "77:extended:1800000900123", e.ID)
	require.Equal(t, "flashsale.order.extended", e.Type)
	require.Equal(t, "77", e.Subject)
	require.Equal(t, "77", string(page.records[0].Key))
	require.Equal(t, sale.StatusConfirmed, e.Data.Status)
	require.Equal(t, deadline, *e.Data.PayBy)
	require.Equal(t, extended.UpdatedAt, e.Time)
	require.NoError(t, json.Unmarshal(page.records[1].Value, &e))
	require.Equal(t, "77:confirmed", e.ID)
}

// The events equal the output of encoding/json byte for byte.
func TestEventsAreWrittenAsTheLibraryWouldWriteThem(t *testing.T) {
	moment := rapid.Custom(func(r *rapid.T) sale.Time {
		moments := []int64{0, 999, 1_800_000_000_000, 1_800_000_000_001, sale.MaxCreatedMS}
		at := sale.TimeMillis(rapid.SampledFrom(moments).Draw(r, "ms"))
		if rapid.Bool().Draw(r, "elsewhere") {
			at.Time = at.In(time.FixedZone("elsewhere", 8*3600))
		}
		return at
	})
	line := rapid.Custom(func(r *rapid.T) sale.Line {
		return sale.Line{
			SKU: rapid.String().Draw(r, "sku"), Quantity: rapid.Int().Draw(r, "quantity"),
			UnitPriceCents: rapid.Int64().Draw(r, "price"),
		}
	})
	rapid.Check(t, func(r *rapid.T) {
		orders := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) sale.Order {
			return sale.Order{
				OrderID: sale.OrderID(rapid.Int64Min(1).Draw(r, "id")),
				Status:  rapid.SampledFrom([]sale.OrderStatus{sale.StatusConfirmed, sale.StatusRefused}).Draw(r, "status"),
				Reason:  rapid.SampledFrom([]sale.OrderReason{sale.ReasonNone, sale.ReasonSoldOut}).Draw(r, "reason"),
				Sale:    rapid.String().Draw(r, "sale"), Lines: rapid.SliceOfN(line, 1, 3).Draw(r, "lines"),
				Currency: rapid.StringN(0, 3, 12).Draw(r, "currency"), CreatedAt: moment.Draw(r, "created"),
				UpdatedAt: moment.Draw(r, "updated"), PayBy: rapid.Ptr(moment, true).Draw(r, "pay by"),
				BuyerID:   rapid.StringMatching(`[A-Za-z0-9._:@|+<>&"\\-]{1,64}`).Draw(r, "buyer"),
				PaymentID: rapid.StringMatching(`[a-z0-9]{0,8}`).Draw(r, "payment"),
			}
		}), 1, 5).Draw(r, "orders")
		for i, written := range eventsOf(orders...) {
			o := orders[i]
			expected, err := json.Marshal(cloudEvent{
				SpecVersion: "1.0", ID: o.OrderID.String() + ":" + string(o.Status), Source: "/shop/sales/" + o.Sale,
				Type: "flashsale.order." + string(o.Status), Subject: o.OrderID.String(), Time: o.UpdatedAt,
				DataContentType: "application/json", Data: o.ForOperator(),
			})
			require.NoError(r, err)
			require.Equal(r, string(expected), string(written.Value))
			require.Equal(r, o.OrderID.String(), string(written.Key))
		}
	})
}

// BenchmarkEvents writes a page of a thousand events.
func BenchmarkEvents(b *testing.B) {
	var ids []int64
	for id := range int64(1000) {
		ids = append(ids, 7_000_000_000_000_000_000+id)
	}
	events := []sale.OrderEvent{eventOf(sale.StatusConfirmed, ids...)}
	b.ReportAllocs()
	for b.Loop() {
		require.Len(b, newPageOfEvents("shop", events).records, len(ids))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ids)), "ns/event")
}
