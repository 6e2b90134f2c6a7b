package reserve

import (
	"sync/atomic"

	"flashsale/sale"
)

// Publisher sends records to the orders topic. It calls done once, from another goroutine: with nil when every replica has the
// record. After an error the topic may or may not have the record, and the caller publishes the same bytes again. Publish
// never blocks. A record of a sampled trace carries the span under which it is settled.
type Publisher interface {
	Publish(partition int32, key, value []byte, under sale.SpanContext, done func(error))
}

// unackedBytes counts the bytes of records that wait for Kafka.
type unackedBytes struct{ bytes atomic.Int64 }

// reserve counts n bytes. It returns false, and counts nothing, when they exceed maxUnackedBytes.
func (u *unackedBytes) reserve(n int) bool {
	if u.bytes.Add(int64(n)) > maxUnackedBytes {
		u.bytes.Add(int64(-n))
		return false
	}
	return true
}

func (u *unackedBytes) release(n int) { u.bytes.Add(int64(-n)) }
