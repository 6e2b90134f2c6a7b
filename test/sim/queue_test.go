package sim

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"flashsale/sale"
)

// queue is the model of the orders topic: partitions, the offsets of one consumer group, and what producers write.
type queue struct {
	place *place

	mu         sync.Mutex
	topicID    string
	partitions [][]record
	committed  []int64       // offset of the next record, by partition; -1 = never committed
	grown      chan struct{} // closed and replaced when a record is appended
	added      func([]byte)
	junk       int // records that are none of ours
}

type record struct {
	key, value []byte
	at         time.Duration
}

var errNotAcked = errors.New("kafka: request timed out")

func newQueue(partitions int, added func([]byte)) *queue {
	q := &queue{
		place: newPlace("kafka"), topicID: sarama.Uuid{1}.String(), partitions: make([][]record, partitions),
		committed: slices.Repeat([]int64{-1}, partitions), grown: make(chan struct{}),
		added: added,
	}
	q.place.refused = errRefused
	return q
}

func (q *queue) append(partition int32, key, value []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.added(value)
	q.partitions[partition] = append(q.partitions[partition], record{key, value, virtualNow()})
	close(q.grown)
	q.grown = make(chan struct{})
}

// from returns the records of a partition from an offset on, and a channel that is closed when there are more.
func (q *queue) from(partition int32, offset int64) ([]record, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	records := q.partitions[partition]
	return records[min(offset, int64(len(records))):], q.grown
}

func (q *queue) end(partition int32) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(len(q.partitions[partition]))
}

func (q *queue) commit(partition int32, next int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.committed[partition] = next
}

func (q *queue) position(partition int32) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.committed[partition]
}

// publisher is the producer of one process. As with the real one, its error leaves open what became of the record: it may
// be in the log, get there much later, or be there twice.
type publisher struct{ *process }

func (p publisher) Publish(partition int32, key, value []byte, _ sale.SpanContext, done func(error)) {
	p.waiting(value, true)
	go func() {
		twice := p.world.noisy(p.chance) && p.chance.one(2)
		ctx, cancel := p.patience(publishTimeout)
		defer cancel()
		err := p.call(ctx, p.world.queue.place, "produce", func() {
			p.world.queue.append(partition, key, value)
			if twice {
				p.world.counter.count("faults: record twice", 1)
				p.world.queue.append(partition, key, value)
			}
		})
		if err != nil {
			err = errors.Join(errNotAcked, err)
		} else {
			p.waiting(value, false)
		}
		done(err)
	}()
}

// spoil puts a record into the topic that cannot settle.
func (q *queue) spoil(c *chance) {
	q.append(int32(c.below(len(q.partitions))), []byte("junk"), []byte("this is not a record"))
	q.junk++
}

// reset puts the group's offset of a partition back, as a mistake of the operator does: every record from there on is
// delivered again.
func (q *queue) reset(c *chance) {
	q.mu.Lock()
	defer q.mu.Unlock()
	partition := c.below(len(q.partitions))
	if q.committed[partition] > 0 {
		q.committed[partition] = int64(c.below(int(q.committed[partition])))
	}
}

const publishTimeout = 4 * time.Second
