package events

import (
	"strconv"

	"flashsale/kafka"
	"flashsale/sale"
)

// cloudEventsMediaType is the content type in the header of every event.
const cloudEventsMediaType = "application/cloudevents+json; charset=UTF-8"

// pageOfEvents writes events in the form that the shop reads: CloudEvents 1.0 in structured JSON. It writes the bytes
// itself, because reflection costs more than settling the order does. The key of a record is the order id, so that the
// events of one order share a partition and keep their order there.
type pageOfEvents struct {
	namespace string
	headers   kafka.Headers // of every record
	text      []byte        // of all records, one after the other
	records   []kafka.Record
}

// eventBytes is the usual length of an event, rounded up.
const eventBytes = 640

func newPageOfEvents(namespace string, events []sale.OrderEvent) *pageOfEvents {
	orders := 0
	for i := range events {
		orders += len(events[i].Orders)
	}
	p := &pageOfEvents{
		namespace: namespace, headers: kafka.Headers{}.With("content-type", cloudEventsMediaType),
		text: make([]byte, 0, orders*eventBytes), records: make([]kafka.Record, 0, orders),
	}
	for i := range events {
		for k := range events[i].Orders {
			p.add(&events[i].Orders[k], events[i].Extended)
		}
	}
	return p
}

// extended is the last part of the type of an event that an order's time to pay has moved.
const extended = "extended"

// add writes the event that an order has reached its status, or that it was extended. Every repetition of the event has the
// same id, because an order reaches each status once, and an extension moves pay_by to a moment at which it never was.
func (p *pageOfEvents) add(o *sale.Order, isExtension bool) {
	what := string(o.Status)
	if isExtension {
		what = extended
	}
	began := len(p.text)
	b := append(p.text, `{"specversion":"1.0","id":"`...)
	idAt := len(b)
	b = strconv.AppendInt(b, int64(o.OrderID), 10)
	key := b[idAt:len(b):len(b)]
	b = append(append(b, ':'), what...)
	if isExtension {
		b = strconv.AppendInt(append(b, ':'), o.PayBy.UnixMilli(), 10)
	}
	b = append(b, `","source":`...)
	b = sale.AppendText(b, "/"+p.namespace+"/sales/"+o.Sale)
	b = append(append(b, `,"type":"flashsale.order.`...), what...)
	b = append(append(b, `","subject":"`...), key...)
	b = sale.AppendTime(append(b, `","time":"`...), o.UpdatedAt.Time)
	b = append(b, `","datacontenttype":"application/json","data":`...)
	b = append(sale.AppendOperatorOrder(b, o), '}')
	p.text = b
	p.records = append(p.records, kafka.Record{Key: key, Value: b[began:len(b):len(b)], Headers: p.headers})
}
