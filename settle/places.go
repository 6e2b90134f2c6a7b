package settle

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// tellWithin is how long a session waits for the offsets of all its partitions before it begins with those that it knows.
const tellWithin = 2 * time.Second

// places are where the partitions of one session are continued. Each is found for itself, so that one whose offsets Kafka
// does not tell keeps none of the others waiting.
type places struct {
	ctx     context.Context // of the session
	topicID string
	of      map[int32]*place
}

// place is where one partition is continued.
type place struct {
	found chan struct{} // closed when start is known
	start int64
}

func newPlaces(ctx context.Context, topicID string, partitions []int32) *places {
	p := &places{ctx: ctx, topicID: topicID, of: make(map[int32]*place, len(partitions))}
	for _, partition := range partitions {
		p.of[partition] = &place{found: make(chan struct{})}
	}
	return p
}

// find notes where a partition is continued.
func (p *places) find(partition int32, start int64) {
	at := p.of[partition]
	at.start = start
	close(at.found)
}

// wait returns where a partition is continued as soon as that is known; false when the session ends first.
func (p *places) wait(partition int32) (start int64, found bool) {
	at := p.of[partition]
	select {
	case <-at.found:
		return at.start, true
	default:
	}
	select {
	case <-at.found:
		return at.start, true
	case <-p.ctx.Done():
		return 0, false
	}
}

// waitForAll waits until every place is known, or for tellWithin, and returns the starts that are known then.
func (p *places) waitForAll() map[int32]int64 {
	patience := time.NewTimer(tellWithin)
	defer patience.Stop()
	known, late := map[int32]int64{}, false
	for partition, at := range p.of {
		if !late {
			select {
			case <-at.found:
			case <-patience.C:
				late = true
			case <-p.ctx.Done():
				late = true
			}
		}
		select {
		case <-at.found:
			known[partition] = at.start
		default:
		}
	}
	return known
}

// groupClient is the client of the consumer group, which has two questions answered otherwise: sarama asks them for each
// partition when a session has begun, and ends the whole session when one partition has no good answer. Here the partition
// waits, and the others go on.
type groupClient struct {
	sarama.Client
	member *consumer
	places atomic.Pointer[places] // of the present session
}

// PartitionNotReadable returns when it is known where the partition is continued; sarama asks it before it reads the offset
// to begin at.
func (c *groupClient) PartitionNotReadable(topic string, partition int32) bool {
	if p := c.places.Load(); p != nil {
		if _, found := p.wait(partition); !found {
			return false // the session is over, which sarama looks at next
		}
	}
	return c.Client.PartitionNotReadable(topic, partition)
}

// GetOffset asks until it is told, and until the end is not before the start: a leader that is one no longer may tell an old
// one. Whether records were lost instead is what the member finds out.
func (c *groupClient) GetOffset(topic string, partition int32, at int64) (int64, error) {
	p := c.places.Load()
	if p == nil || p.of[partition] == nil {
		return c.Client.GetOffset(topic, partition, at)
	}
	start, _ := p.wait(partition)
	for try := 0; ; try++ {
		offset, err := c.Client.GetOffset(topic, partition, at)
		behind := err == nil && at == sarama.OffsetNewest && offset < start
		if behind {
			err = fmt.Errorf("its end is told to be %d, before %d where settlement goes on", offset, start)
		}
		if err == nil {
			c.member.progress.readable(partition)
			return offset, nil
		}
		if !c.member.tryAgain(p.ctx, partition, try, err) || behind && !c.member.examine(p, partition) {
			return 0, err
		}
	}
}
