package fakes

import (
	"errors"
	"sync"

	"flashsale/sale"
)

// Kafka is a log that a test can make unavailable. Meanwhile records wait in the producer, as in sarama; when the log is
// back they are written and acknowledged.
type Kafka struct {
	Mu       sync.Mutex
	Away     bool
	Failures int // the next records are written, but their acknowledgement is lost
	attempts [][]byte
	Log      [][]byte
	Waiting  []func()
	Settle   func(record []byte, partition int32) // called for each record in the log; may be nil
}

var errAckLost = errors.New("acknowledgement lost")

// Publish writes a record and acknowledges it by calling done, or keeps it while Kafka is away.
func (k *Kafka) Publish(partition int32, _, value []byte, _ sale.SpanContext, done func(error)) {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	value = append([]byte(nil), value...)
	k.attempts = append(k.attempts, value)
	write := func(err error) {
		k.Log = append(k.Log, value)
		if k.Settle != nil {
			k.Settle(value, partition)
		}
		go done(err)
	}
	switch {
	case k.Away:
		k.Waiting = append(k.Waiting, func() { write(nil) })
	case k.Failures > 0:
		k.Failures--
		write(errAckLost)
	default:
		write(nil)
	}
}

// GoAway makes records wait from now on.
func (k *Kafka) GoAway() {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	k.Away = true
}

// ComeBack writes the records that wait.
func (k *Kafka) ComeBack() {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	k.Away = false
	for _, write := range k.Waiting {
		write()
	}
	k.Waiting = nil
}

// Attempted returns every record that was published, also those that wait.
func (k *Kafka) Attempted() [][]byte {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	return append([][]byte(nil), k.attempts...)
}

// Batches returns the decoded batches of the log, fences left out.
func (k *Kafka) Batches() []*sale.Batch {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	var found []*sale.Batch
	for _, raw := range k.Log {
		record, err := sale.DecodeRecord(raw)
		if err != nil {
			panic(err)
		}
		if record.Batch != nil {
			found = append(found, record.Batch)
		}
	}
	return found
}
