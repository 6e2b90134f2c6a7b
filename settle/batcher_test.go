package settle

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// feed returns a channel that holds the raw records at offsets from 0.
func feed(raws ...[]byte) chan *sarama.ConsumerMessage {
	messages := make(chan *sarama.ConsumerMessage, len(raws)+1)
	for i, raw := range raws {
		messages <- &sarama.ConsumerMessage{Topic: "t", Partition: 3, Offset: int64(i), Value: raw}
	}
	return messages
}

func offsetsOf(records []record) []int64 {
	list := make([]int64, 0, len(records))
	for i := range records {
		list = append(list, records[i].Offset)
	}
	return list
}

func TestGatherTakesWhatWaits(t *testing.T) {
	messages := feed(recordBytes("demo", 1, 2), recordBytes("demo", 10, 2), sale.AppendFence(nil, "token"))
	g := &recordBatcher{messages: messages, maxRows: 100, maxBytes: 1 << 20, pressure: &pressure{}}
	records, ok := g.next(nil)
	require.True(t, ok)
	require.Equal(t, []int64{0, 1, 2}, offsetsOf(records))
	require.Equal(t, int32(3), records[0].Partition)
	require.Equal(t, recordBytes("demo", 1, 2), records[0].Raw)
	require.Equal(t, "token", records[2].Record.Fence)
}

func TestGatherStopsAtItsBounds(t *testing.T) {
	raw := recordBytes("demo", 1, 4)
	cases := map[string]struct {
		maxRows, maxBytes int
		want              [][]int64
	}{
		"rows":               {9, 1 << 20, [][]int64{{0, 1}, {2, 3}, {4}}},
		"rows exactly":       {8, 1 << 20, [][]int64{{0, 1}, {2, 3}, {4}}},
		"bytes":              {1000, 3*len(raw) + 1, [][]int64{{0, 1, 2}, {3, 4}}},
		"a record beyond it": {3, 1 << 20, [][]int64{{0}, {1}, {2}, {3}, {4}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			messages := feed(raw, raw, raw, raw, raw)
			close(messages)
			g := &recordBatcher{messages: messages, maxRows: c.maxRows, maxBytes: c.maxBytes, pressure: &pressure{}}
			var got [][]int64
			for records, ok := g.next(nil); ok; records, ok = g.next(nil) {
				got = append(got, offsetsOf(records))
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestGatherKeepsWhatCannotBeDecoded(t *testing.T) {
	g := &recordBatcher{messages: feed([]byte("junk"), nil), maxRows: 10, maxBytes: 100, pressure: &pressure{}}
	records, ok := g.next(nil)
	require.True(t, ok)
	require.Len(t, records, 2)
	for i := range records {
		require.ErrorIs(t, records[i].fault, sale.ErrRecord)
		require.Equal(t, 1, records[i].rows())
	}
}

func TestGatherEndsWithTheSession(t *testing.T) {
	done := make(chan struct{})
	close(done)
	g := &recordBatcher{messages: feed(recordBytes("demo", 1, 1)), maxRows: 10, maxBytes: 1000, pressure: &pressure{}}
	_, ok := g.next(done)
	require.False(t, ok, "records that wait belong to the next owner")

	idle := &recordBatcher{messages: make(chan *sarama.ConsumerMessage), maxRows: 10, maxBytes: 1000, pressure: &pressure{}}
	_, ok = idle.next(done)
	require.False(t, ok)
}

func TestGatherEndsWithTheMessages(t *testing.T) {
	messages := feed()
	close(messages)
	g := &recordBatcher{messages: messages, maxRows: 10, maxBytes: 1000, pressure: &pressure{}}
	_, ok := g.next(nil)
	require.False(t, ok)
}
