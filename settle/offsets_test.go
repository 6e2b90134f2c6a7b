package settle

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStartOfAPartition(t *testing.T) {
	cases := map[string]struct {
		at    position
		start int64
		fault string
	}{
		"never committed":           {position{committed: noOffset, end: 40}, 0, ""},
		"never committed, empty":    {position{committed: noOffset}, 0, ""},
		"never committed, gone":     {position{committed: noOffset, oldest: 7, end: 40}, 0, "records before 7 are gone"},
		"in the middle":             {position{committed: 12, topicID: "A", oldest: 3, end: 40}, 12, ""},
		"at the oldest":             {position{committed: 3, topicID: "A", oldest: 3, end: 40}, 3, ""},
		"at the end":                {position{committed: 40, topicID: "A", end: 40}, 40, ""},
		"set by hand":               {position{committed: 5, topicID: "", end: 40}, 5, ""},
		"beyond the end":            {position{committed: 41, topicID: "A", end: 40}, 0, "offset 41 lies beyond the end 40"},
		"set by hand, beyond":       {position{committed: 41, end: 40}, 0, "beyond the end 40"},
		"deleted below":             {position{committed: 5, topicID: "A", oldest: 9, end: 40}, 0, "records from 5 to 8 were deleted"},
		"another topic of the name": {position{committed: 5, topicID: "B", end: 40}, 0, "belongs to topic id B, but the topic was recreated"},
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

func TestOffsetErrorSaysWhatToDo(t *testing.T) {
	err := &OffsetError{Topic: "shop.orders", Partition: 4, Group: "shop.settle", Found: "something"}
	for _, part := range []string{"partition 4 of topic shop.orders", "something", "No offset was reset",
		"kafka-consumer-groups.sh --group shop.settle --topic shop.orders:4"} {
		require.Contains(t, err.Error(), part)
	}
}
