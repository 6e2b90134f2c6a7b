package settle

import (
	"encoding/json"
	"fmt"

	"github.com/IBM/sarama"

	"flashsale/sale"
)

// cloudEvent is one event as the shop reads it: CloudEvents 1.0 in structured JSON.
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

// cloudEventsMediaType stands in the header of every event.
const cloudEventsMediaType = "application/cloudevents+json; charset=UTF-8"

// newCloudEvent tells that an order has come to the status it has. Its id is the same however often it is told, since an
// order comes to each status once.
func newCloudEvent(namespace string, o *sale.Order) cloudEvent {
	return cloudEvent{
		SpecVersion: "1.0",
		ID:          o.OrderID.String() + ":" + string(o.Status),
		Source:      "/" + namespace + "/sales/" + o.Sale,
		Type:        "flashsale.order." + string(o.Status),
		Subject:     o.OrderID.String(),
		Time:        o.UpdatedAt, DataContentType: "application/json", Data: o.ForOperator(),
	}
}

// eventMessage is the record of an event. Its key is the order, so that the events of one order share a partition and
// keep their order there.
func eventMessage(topic, namespace string, o *sale.Order) (*sarama.ProducerMessage, error) {
	value, err := json.Marshal(newCloudEvent(namespace, o))
	if err != nil {
		return nil, fmt.Errorf("write the event of order %s: %w", o.OrderID, err)
	}
	return &sarama.ProducerMessage{
		Topic: topic, Key: sarama.StringEncoder(o.OrderID.String()), Value: sarama.ByteEncoder(value),
		Headers: []sarama.RecordHeader{header("content-type", cloudEventsMediaType)},
	}, nil
}
