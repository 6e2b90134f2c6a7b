package settle

import (
	"fmt"
)

// OffsetError means that a partition cannot be continued where settlement stopped. No offset was reset: records may be
// missing, and only an operator can determine which.
type OffsetError struct {
	Topic     string
	Partition int32
	Group     string
	Found     string
}

// Error names the partition, what was found, and the operator's next step.
func (e *OffsetError) Error() string {
	return fmt.Sprintf("partition %d of topic %s cannot be continued: %s. No offset was reset and nothing is sold. Run "+
		"\"flashsale audit\"; when what is missing is known, run \"DELETE FROM positions WHERE partition_id = %d\" in the "+
		"database and set the offset of group %s by hand: "+
		"kafka-consumer-groups.sh --group %s --topic %s:%d --reset-offsets --to-earliest --execute",
		e.Partition, e.Topic, e.Found, e.Partition, e.Group, e.Group, e.Topic, e.Partition)
}

// noOffset is what brokers report for a group that has not committed in a partition.
const noOffset = -1

// partitionOffsets are how far one partition is settled: by the group's offset in Kafka, and by the position that the
// database committed together with the rows.
type partitionOffsets struct {
	committed   int64  // next record to settle by the group, noOffset when the group has never committed
	committedID string // id of the topic that committed belongs to; empty when set by hand
	settled     int64  // next record to settle by the database, noOffset when it has settled nothing of the partition
	settledID   string // id of the topic that settled belongs to
	oldest      int64  // first record that the partition still has
	end         int64  // offset of the next record to be written
}

// start returns the offset to continue from, or the fault in the offsets. topicID names the topic as it is now.
//
// The lower of the two counts is right. When the group is ahead of the database, the database lost its tail or an
// offset was committed before its rows; when the group is behind, a commit of an offset was lost, and settling again
// changes nothing. When the database has settled nothing, an offset counts only when an operator set it by hand; an
// offset that this process committed belongs to rows that were lost.
func (p partitionOffsets) start(topicID string) (offset int64, fault string) {
	if fault := p.strange(topicID); fault != "" {
		return 0, fault
	}
	byHand := p.committed != noOffset && p.committedID == ""
	switch {
	case p.settled == noOffset && byHand:
		offset = p.committed
	case p.settled == noOffset && p.oldest > 0:
		return 0, fmt.Sprintf("the database has settled none of it and the records before %d are gone", p.oldest)
	case p.settled == noOffset:
		offset = 0
	case p.committed == noOffset:
		offset = p.settled
	default:
		offset = min(p.settled, p.committed)
	}
	if offset < p.oldest {
		return 0, fmt.Sprintf("the records from %d to %d were deleted before they were settled", offset, p.oldest-1)
	}
	return offset, ""
}

// strange describes an offset that cannot belong to the topic as it is now.
func (p partitionOffsets) strange(topicID string) (fault string) {
	switch {
	case p.settled != noOffset && p.settledID != topicID:
		return fmt.Sprintf("the database has settled up to offset %d of topic id %s, but the topic was recreated and its id is "+
			"%s now", p.settled, p.settledID, topicID)
	case p.committedID != "" && p.committedID != topicID:
		return fmt.Sprintf("offset %d belongs to topic id %s, but the topic was recreated and its id is now %s",
			p.committed, p.committedID, topicID)
	case p.settled > p.end:
		return fmt.Sprintf("the database has settled up to offset %d, beyond the end %d: records were lost or the topic was "+
			"recreated", p.settled, p.end)
	case p.committed > p.end:
		return fmt.Sprintf("offset %d is beyond the end %d: records were lost or the topic was recreated", p.committed, p.end)
	}
	return ""
}
