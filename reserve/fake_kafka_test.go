package reserve

import (
	"errors"
	"sync"

	"flashsale/sale"
)

// fakeKafka is a log that can go away. While it is away records wait, as in sarama; they are in the log, and
// acknowledged, once it is back.
type fakeKafka struct {
	mu       sync.Mutex
	away     bool
	failures int // the next records are written, but their acknowledgement is lost
	attempts [][]byte
	log      [][]byte
	waiting  []func()
	settle   func(record []byte, partition int32) // called for each record in the log; may be nil
}

var errAckLost = errors.New("acknowledgement lost")

func (k *fakeKafka) Publish(partition int32, _, value []byte, done func(error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	value = append([]byte(nil), value...)
	k.attempts = append(k.attempts, value)
	write := func(err error) {
		k.log = append(k.log, value)
		if k.settle != nil {
			k.settle(value, partition)
		}
		go done(err)
	}
	switch {
	case k.away:
		k.waiting = append(k.waiting, func() { write(nil) })
	case k.failures > 0:
		k.failures--
		write(errAckLost)
	default:
		write(nil)
	}
}

func (k *fakeKafka) goAway() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away = true
}

func (k *fakeKafka) comeBack() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away = false
	for _, write := range k.waiting {
		write()
	}
	k.waiting = nil
}

func (k *fakeKafka) attempted() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([][]byte(nil), k.attempts...)
}

// batches returns the decoded batches of the log, fences left out.
func (k *fakeKafka) batches() []*sale.Batch {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found []*sale.Batch
	for _, raw := range k.log {
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
