package settle

import (
	"context"
	"time"
)

// startsWithin is how long a session waits for the offsets of all its partitions before it begins with those found.
const startsWithin = 2 * time.Second

// partitionStarts are the offsets at which the partitions of one session are continued. The consumer finds each of them
// separately, so that a partition whose offsets Kafka does not return delays no other partition.
type partitionStarts struct {
	ctx     context.Context // of the session
	topicID string
	of      map[int32]*partitionStart
}

// partitionStart is the offset at which one partition is continued.
type partitionStart struct {
	found   chan struct{} // closed when offset is set
	offset  int64
	settled bool // the database has settled up to the offset at least
}

func newPartitionStarts(ctx context.Context, topicID string, partitions []int32) *partitionStarts {
	s := &partitionStarts{ctx: ctx, topicID: topicID, of: make(map[int32]*partitionStart, len(partitions))}
	for _, partition := range partitions {
		s.of[partition] = &partitionStart{found: make(chan struct{})}
	}
	return s
}

// set records the start offset of a partition, and whether the database has settled up to it. It may be called once per
// partition.
func (s *partitionStarts) set(partition int32, offset int64, settled bool) {
	start := s.of[partition]
	start.offset, start.settled = offset, settled
	close(start.found)
}

// wait returns the start offset of a partition as soon as it is set; false when the session ends first.
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

// settled returns up to which offset the database has settled a partition whose start is found, by its own answers; 0: nothing.
func (s *partitionStarts) settled(partition int32) int64 {
	if start := s.of[partition]; start.settled {
		return start.offset
	}
	return 0
}

// waitForAll waits until every start is set, or for startsWithin, and returns the offsets that are set then.
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
