package sale

import (
	"encoding/json"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseOrderID(t *testing.T) {
	for text, want := range map[string]OrderID{"1": 1, "90": 90, "9223372036854775807": math.MaxInt64} {
		got, err := ParseOrderID(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"", "0", "01", "-1", "+1", "1_000", "1.0", "1e3", " 1", "1 ", "0x1", "٣", "9223372036854775808",
		"99999999999999999999", "12\x00"} {
		_, err := ParseOrderID(text)
		assert.ErrorIs(t, err, ErrOrderID, "%q", text)
	}
}

func TestOrderIDsCrossJSONAsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := OrderID(rapid.Int64Range(1, math.MaxInt64).Draw(t, "id"))
		text, err := json.Marshal(struct{ ID OrderID }{id})
		require.NoError(t, err)
		require.Equal(t, `{"ID":"`+strconv.FormatInt(int64(id), 10)+`"}`, string(text))
		var back struct{ ID OrderID }
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, id, back.ID)
	})
	for _, text := range []string{`1`, `"0"`, `""`, `"1 "`, `null`, `true`, `["1"]`, `"-5"`, `{}`} {
		var id OrderID
		assert.ErrorIs(t, json.Unmarshal([]byte(text), &id), ErrOrderID, text)
	}
}

func FuzzParseOrderID(f *testing.F) {
	for _, seed := range []string{"1", "0", "-1", "9223372036854775807", "9223372036854775808", "1_0", "１"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseOrderID(text)
		if err != nil {
			require.Zero(t, id)
			return
		}
		require.Positive(t, int64(id))
		require.Equal(t, text, id.String(), "one id has one spelling")
	})
}

func TestGeneratedIDs(t *testing.T) {
	node, err := NewOrderIDNode(MaxNode)
	require.NoError(t, err)
	before := time.Now().Truncate(time.Millisecond)
	last := OrderID(0)
	for range 10_000 {
		id := node.Next()
		require.Greater(t, id, last)
		require.Equal(t, int64(MaxNode), int64(id)>>12&MaxNode, "the node is in the id")
		last = id
	}
	assert.False(t, last.Time().Before(before))
	assert.False(t, last.Time().After(time.Now().Add(time.Second)))
	for _, bad := range []int64{-1, MaxNode + 1} {
		_, err := NewOrderIDNode(bad)
		assert.Error(t, err)
	}
}

func TestGeneratorsOfDifferentNodesNeverCollide(t *testing.T) {
	const nodes, each = 4, 2000
	ids := make([][]OrderID, nodes)
	var wait sync.WaitGroup
	for n := range nodes {
		wait.Go(func() {
			node, err := NewOrderIDNode(int64(n))
			if err != nil {
				return // the count below fails
			}
			for range each {
				ids[n] = append(ids[n], node.Next())
			}
		})
	}
	wait.Wait()
	seen := map[OrderID]bool{}
	for _, list := range ids {
		for _, id := range list {
			seen[id] = true
		}
	}
	assert.Len(t, seen, nodes*each)
}

// Stored ids depend on the epoch and on the layout of the bits.
func TestTimeOfAnID(t *testing.T) {
	assert.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.UnixMilli(IDEpoch).UTC())
	id := OrderID(1234<<22 | 5<<12 | 6)
	assert.Equal(t, time.Date(2026, 1, 1, 0, 0, 1, 234_000_000, time.UTC), id.Time())
}
