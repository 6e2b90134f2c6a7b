package gather

import (
	"encoding/json"
	"strings"

	"flashsale/test/check"
)

// Batch reads a record of the orders topic; false for fences and transfers. The format is the one that docs describe; the
// suites read it with code of their own.
func Batch(record string) (check.Batch, bool) {
	lines := strings.Split(strings.TrimSuffix(record, "\n"), "\n")
	head := strings.Fields(lines[0])
	if len(head) != 9 || head[0] != "fs2" || head[1] != "batch" {
		return check.Batch{}, false
	}
	b := check.Batch{Sale: head[2], Bucket: int(Number(head[3])), Epoch: Number(head[4]), CreatedMS: Number(head[7])}
	for _, line := range lines[1:] {
		id, _, _ := strings.Cut(line, " ")
		b.Orders = append(b.Orders, id)
	}
	return b, true
}

// Event reads a record of the events topic. A record without a CloudEvent gets its key as id, which the check of ids finds.
func Event(key, value []byte) check.Event {
	var event struct {
		ID, Type, Subject string
		Data              json.RawMessage
	}
	if err := json.Unmarshal(value, &event); err != nil {
		event.ID, event.Data = string(key), json.RawMessage(value)
	}
	return check.Event{ID: event.ID, Order: event.Subject, Data: string(event.Data),
		Status: strings.TrimPrefix(event.Type, "flashsale.order.")}
}
