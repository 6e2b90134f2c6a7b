package settle

import (
	"encoding/json"
	"strconv"

	"flashsale/sale"
)

// cloudEventsMediaType stands in the header of every event.
const cloudEventsMediaType = "application/cloudevents+json; charset=UTF-8"

// eventRecord is one event as the topic has it. The key is the order, so that the events of one order share a partition
// and keep their order there.
type eventRecord struct{ key, value []byte }

// pageOfEvents writes events as the shop reads them: CloudEvents 1.0 in structured JSON. It writes the bytes itself,
// because reflection costs more than settling the order does.
type pageOfEvents struct {
	namespace string
	text      []byte // of all records, one behind the other
	records   []eventRecord
	times     [3]writtenTime // created, updated, pay by: the orders of a batch share them
}

// eventBytes is room for an event of usual length.
const eventBytes = 640

func newPageOfEvents(namespace string, events []sale.OrderEvent) *pageOfEvents {
	orders := 0
	for i := range events {
		orders += len(events[i].Orders)
	}
	p := &pageOfEvents{
		namespace: namespace, text: make([]byte, 0, orders*eventBytes), records: make([]eventRecord, 0, orders),
	}
	for i := range events {
		for k := range events[i].Orders {
			p.add(&events[i].Orders[k])
		}
	}
	return p
}

// add tells that an order has come to the status it has. The event's id is the same however often it is told, since an
// order comes to each status once.
func (p *pageOfEvents) add(o *sale.Order) {
	began := len(p.text)
	b := append(p.text, `{"specversion":"1.0","id":"`...)
	idAt := len(b)
	b = strconv.AppendInt(b, int64(o.OrderID), 10)
	key := b[idAt:len(b):len(b)]
	b = append(append(append(b, ':'), o.Status...), `","source":`...)
	b = appendText(b, "/"+p.namespace+"/sales/"+o.Sale)
	b = append(append(b, `,"type":"flashsale.order.`...), o.Status...)
	b = append(append(b, `","subject":"`...), key...)
	b = append(b, `","time":`...)
	b = p.times[1].append(b, o.UpdatedAt)
	b = append(b, `,"datacontenttype":"application/json","data":`...)
	b = append(p.appendOrder(b, o, key), '}')
	p.text = b
	p.records = append(p.records, eventRecord{key: key, value: b[began:len(b):len(b)]})
}

// appendOrder writes an order as encoding/json writes what o.ForOperator returns.
func (p *pageOfEvents) appendOrder(b []byte, o *sale.Order, id []byte) []byte {
	b = append(append(b, `{"order_id":"`...), id...)
	b = append(append(b, `","status":"`...), o.Status...)
	b = append(b, '"')
	b = appendMember(b, "reason", string(o.Reason))
	b = appendText(append(b, `,"sale":`...), o.Sale)
	b = appendText(append(b, `,"sku":`...), o.SKU)
	b = strconv.AppendInt(append(b, `,"quantity":`...), int64(o.Quantity), 10)
	b = strconv.AppendInt(append(b, `,"unit_price_cents":`...), o.UnitPriceCents, 10)
	b = appendText(append(b, `,"currency":`...), o.Currency)
	b = p.times[0].append(append(b, `,"created_at":`...), o.CreatedAt)
	b = p.times[1].append(append(b, `,"updated_at":`...), o.UpdatedAt)
	if o.PayBy != nil {
		b = p.times[2].append(append(b, `,"pay_by":`...), *o.PayBy)
	}
	b = appendText(append(b, `,"buyer_id":`...), o.BuyerID)
	b = appendMember(b, "payment_id", o.PaymentID)
	return append(b, '}')
}

// appendMember writes a member that is absent when it is empty.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendText(b, value)
}

// appendText writes a JSON string.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, _ := json.Marshal(text) // a string is always written
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// writtenTime is a time as JSON, written once for all orders that share it.
type writtenTime struct {
	ms   int64
	text []byte
}

func (w *writtenTime) append(b []byte, at sale.Time) []byte {
	if ms := at.UnixMilli(); w.text == nil || ms != w.ms {
		w.ms, w.text = ms, at.UTC().AppendFormat(w.text[:0], `"`+sale.TimeLayout+`"`)
	}
	return append(b, w.text...)
}
