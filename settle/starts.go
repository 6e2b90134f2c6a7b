package settle

import (
	"context"
	"time"
)

// startsWithin is how long a session waits for the offsets of all its partitions before it begins with those that it knows.
const startsWithin = 2 * time.Second

// partitionStarts are the offsets from which the partitions of one session are continued. The consumer finds each of them
// separately, so that a partition whose offsets Kafka does not return delays no other partition.
type partitionStarts struct {
	ctx     context.Context // of the session
	topicID string
	of      map[int32]*partitionStart
}

// partitionStart is the offset from which one partition is continued.
type partitionStart struct {
	found  chan struct{} // closed when offset is known
	offset int64
}

func newPartitionStarts(ctx context.Context, topicID string, partitions []int32) *partitionStarts {
	s := &partitionStarts{ctx: ctx, topicID: topicID, of: make(map[int32]*partitionStart, len(partitions))}
	for _, partition := range partitions {
		s.of[partition] = &partitionStart{found: make(chan struct{})}
	}
	return s
}

// set notes where a partition is continued. It may be called once for a partition.
func (s *partitionStarts) set(partition int32, offset int64) {
	start := s.of[partition]
	start.offset = offset
	close(start.found)
}

// wait returns where a partition is continued as soon as that is known; false when the session ends first.
func (s *partitionStarts) wait(partition int32) (offset int64, found bool) {
	start := s.of[partition]
	select {
	case <-start.found:
		return start.offset, true
	default:
	}
	select {
	case <-start.found:
		return start.offset, true
	case <-s.ctx.Done():
		return 0, false
	}
}

// waitForAll waits until every start is known, or for startsWithin, and returns the offsets that are known then.
func (s *partitionStarts) waitForAll() map[int32]int64 {
	patience := time.NewTimer(startsWithin)
	defer patience.Stop()
	known, late := map[int32]int64{}, false
	for partition, start := range s.of {
		if !late {
			select {
			case <-start.found:
			case <-patience.C:
				late = true
			case <-s.ctx.Done():
				late = true
			}
		}
		select {
		case <-start.found:
			known[partition] = start.offset
		default:
		}
	}
	return known
}
