package settle

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
)

func TestStartOfAPartition(t *testing.T) {
	cases := map[string]struct {
		at    partitionOffsets
		start int64
		fault string
	}{
		"new":        {partitionOffsets{committed: noOffset, settled: noOffset, end: 40}, 0, ""},
		"new, empty": {partitionOffsets{committed: noOffset, settled: noOffset}, 0, ""},
		"new, records gone": {partitionOffsets{committed: noOffset, settled: noOffset, oldest: 7, end: 40}, 0,
			"records before 7 are gone"},
		"in step": {partitionOffsets{committed: 12, committedID: "A", settled: 12, settledID: "A", oldest: 3,
			end: 40}, 12, ""},
		"at the oldest": {partitionOffsets{committed: 3, committedID: "A", settled: 3, settledID: "A", oldest: 3,
			end: 40}, 3, ""},
		"at the end": {partitionOffsets{committed: 40, committedID: "A", settled: 40, settledID: "A", end: 40}, 40,
			""},
		"a commit was lost":  {partitionOffsets{committed: 9, committedID: "A", settled: 12, settledID: "A", end: 40}, 9, ""},
		"the group was lost": {partitionOffsets{committed: noOffset, settled: 12, settledID: "A", end: 40}, 12, ""},
		"the tail was lost":  {partitionOffsets{committed: 12, committedID: "A", settled: 9, settledID: "A", end: 40}, 9, ""},
		"the rows were lost": {partitionOffsets{committed: 12, committedID: "A", settled: noOffset, end: 40}, 0, ""},
		"rows and records lost": {partitionOffsets{committed: 12, committedID: "A", settled: noOffset, oldest: 5, end: 40}, 0,
			"records before 5 are gone"},
		"set back by hand":      {partitionOffsets{committed: 5, settled: 12, settledID: "A", end: 40}, 5, ""},
		"forward by hand":       {partitionOffsets{committed: 20, settled: 12, settledID: "A", end: 40}, 12, ""},
		"by hand alone":         {partitionOffsets{committed: 20, settled: noOffset, oldest: 15, end: 40}, 20, ""},
		"by hand to the oldest": {partitionOffsets{committed: 15, settled: noOffset, oldest: 15, end: 40}, 15, ""},
		"beyond the end": {partitionOffsets{committed: 41, committedID: "A", settled: 40, settledID: "A", end: 40}, 0,
			"offset 41 is beyond the end 40"},
		"by hand beyond": {partitionOffsets{committed: 41, settled: noOffset, end: 40}, 0, "beyond the end 40"},
		"settled beyond": {partitionOffsets{committed: noOffset, settled: 41, settledID: "A", end: 40}, 0,
			"settled up to offset 41, beyond the end 40"},
		"deleted below": {partitionOffsets{committed: 5, committedID: "A", settled: 6, settledID: "A", oldest: 9,
			end: 40}, 0, "records from 5 to 8 were deleted"},
		"group of another": {partitionOffsets{committed: 5, committedID: "B", settled: noOffset, end: 40}, 0,
			"belongs to topic id B, but the topic was recreated"},
		"rows of another": {partitionOffsets{committed: noOffset, settled: 5, settledID: "B", end: 40}, 0,
			"up to offset 5 of topic id B, but the topic was recreated"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			start, fault := c.at.start("A")
			require.Equal(t, c.start, start)
			if c.fault == "" {
				require.Empty(t, fault)
			} else {
				require.Contains(t, fault, c.fault)
			}
		})
	}
}

// Whatever either side lost: a start is never before the first record, never after what the database has settled, and
// never after an offset that the group committed.
func TestAStartLeavesNothingOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := partitionOffsets{
			committed:   rapid.Int64Range(noOffset, 12).Draw(t, "committed"),
			settled:     rapid.Int64Range(noOffset, 12).Draw(t, "settled"),
			committedID: rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, "committed id"),
			settledID:   rapid.SampledFrom([]string{"A", "B"}).Draw(t, "settled id"),
			oldest:      rapid.Int64Range(0, 5).Draw(t, "oldest"), end: rapid.Int64Range(5, 10).Draw(t, "end"),
		}
		if at.committed == noOffset {
			at.committedID = ""
		}
		start, fault := at.start("A")
		if fault != "" {
			return
		}
		require.GreaterOrEqual(t, start, at.oldest)
		require.LessOrEqual(t, start, at.end)
		if at.settled != noOffset {
			require.LessOrEqual(t, start, at.settled)
		}
		if at.committed != noOffset {
			require.LessOrEqual(t, start, at.committed)
		}
		if at.settled == noOffset && at.committedID != "" {
			require.Zero(t, start)
		}
	})
}

func TestOffsetErrorSaysWhatToDo(t *testing.T) {
	err := &OffsetError{Topic: "shop.orders", Partition: 4, Group: "shop.settle", Found: "something"}
	for _, part := range []string{"partition 4 of topic shop.orders", "something", "No offset was reset", "nothing is sold",
		"DELETE FROM positions WHERE partition_id = 4",
		"kafka-consumer-groups.sh --group shop.settle --topic shop.orders:4"} {
		require.Contains(t, err.Error(), part)
	}
}

func TestNoteFindsThePartition(t *testing.T) {
	var at partitionOffsets
	at.note(2, []sale.Position{{Partition: 1, TopicID: "A", Next: 7}, {Partition: 2, TopicID: "B", Next: 9}})
	require.Equal(t, partitionOffsets{settled: 9, settledID: "B"}, at)
	at.note(3, nil)
	require.EqualValues(t, noOffset, at.settled)
}
