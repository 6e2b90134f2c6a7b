package settle

import (
	"github.com/IBM/sarama"

	"flashsale/sale"
)

// recordBatcher takes the records that are ready in one partition, in batches that fit one transaction.
type recordBatcher struct {
	messages <-chan *sarama.ConsumerMessage
	topicID  string
	maxRows  int
	maxBytes int
	pressure *pressure
	traced   bool    // whether spans are made
	carried  *record // taken from messages, but beyond the bounds of the last batch
}

// next blocks for the first record, adds the records that are ready, and returns them in the partition's order. The
// bounds hold, except for a single record that exceeds them alone. It returns false when done is closed or the messages
// end.
func (b *recordBatcher) next(done <-chan struct{}) ([]record, bool) {
	first, ok := b.first(done)
	if !ok {
		return nil, false
	}
	batch := append(make([]record, 0, 16), first)
	rows, bytes := first.rows(), len(first.Raw)
	for {
		r, ok := b.waiting()
		if !ok {
			return batch, true
		}
		rows, bytes = rows+r.rows(), bytes+len(r.Raw)
		if rows > b.maxRows || bytes > b.maxBytes {
			b.carried = &r
			b.pressure.full()
			return batch, true
		}
		batch = append(batch, r)
	}
}

func (b *recordBatcher) first(done <-chan struct{}) (record, bool) {
	if b.carried != nil {
		r := *b.carried
		b.carried = nil
		return r, true
	}
	select {
	case <-done: // also when records are ready: the partition may have another owner soon
		return record{}, false
	default:
	}
	select {
	case <-done:
		return record{}, false
	case message, ok := <-b.messages:
		if !ok {
			return record{}, false
		}
		return b.decode(message), true
	}
}

func (b *recordBatcher) waiting() (record, bool) {
	select {
	case message, ok := <-b.messages:
		if !ok {
			return record{}, false
		}
		return b.decode(message), true
	default:
		return record{}, false
	}
}

func (b *recordBatcher) decode(message *sarama.ConsumerMessage) record {
	r := record{Delivery: sale.Delivery{
		TopicID: b.topicID, Partition: message.Partition, Offset: message.Offset, Raw: message.Value,
	}}
	r.Record, r.fault = sale.DecodeRecord(message.Value)
	if b.traced {
		r.Under = spanOf(message)
	}
	return r
}

// follow notes in each record what it follows: the one before it, and the first of them what the database has settled by its own
// answers, 0 if that is nothing.
func follow(records []record, settled int64) {
	for i := range records {
		records[i].Follows = settled
		settled = records[i].Offset + 1
	}
}

// rows returns how many rows the record adds to a transaction: one for each order, or one for a transfer, a fence or a
// dead letter.
func (r *record) rows() int {
	if r.Record.Batch == nil {
		return 1
	}
	return len(r.Record.Batch.Orders)
}
