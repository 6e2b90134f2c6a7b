package settle

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// fieldOf returns the last word of a text member of an event.
func fieldOf(m *sarama.ProducerMessage, name string) string {
	raw, err := m.Value.Encode()
	if err != nil {
		return err.Error()
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
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
	m, err := eventMessage("shop.events", "shop", &paid)
	require.NoError(t, err)
	require.Equal(t, "shop.events", m.Topic)
	require.Equal(t, sarama.StringEncoder("77"), m.Key)
	require.Len(t, m.Headers, 1)
	require.Equal(t, "content-type", string(m.Headers[0].Key))
	require.Equal(t, "application/cloudevents+json; charset=UTF-8", string(m.Headers[0].Value))
	raw, err := m.Value.Encode()
	require.NoError(t, err)
	require.JSONEq(t, `{
		"specversion": "1.0", "id": "77:paid", "source": "/shop/sales/demo", "type": "flashsale.order.paid", "subject": "77",
		"time": "2027-01-15T08:00:01.077Z", "datacontenttype": "application/json",
		"data": {"order_id": "77", "status": "paid", "sale": "demo", "sku": "phone", "quantity": 1, "unit_price_cents": 129900,
			"currency": "CNY", "created_at": "2027-01-15T08:00:00.000Z", "updated_at": "2027-01-15T08:00:01.077Z",
			"pay_by": "2027-01-15T08:15:00.000Z", "buyer_id": "buyer-77", "payment_id": "pay-1"}}`, string(raw))
}

func TestEveryStatusThatIsToldHasAType(t *testing.T) {
	for _, status := range []sale.OrderStatus{
		sale.StatusConfirmed, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired, sale.StatusRefused,
	} {
		o := order(1, status)
		e := newCloudEvent("shop", &o)
		require.Equal(t, "flashsale.order."+string(status), e.Type)
		require.Equal(t, "1:"+string(status), e.ID)
		require.Equal(t, status, e.Data.Status)
	}
}
