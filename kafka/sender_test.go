package kafka

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

// recordsOf returns records with keys from 1 on and values of a given length.
func recordsOf(count, length int) []Record {
	records := make([]Record, count)
	for i := range records {
		records[i] = Record{Key: []byte(strconv.Itoa(i + 1)), Value: bytes.Repeat([]byte("v"), length)}
	}
	return records
}

// A record goes to the partition that the library's own producer chose: an order's events must not change their
// partition.
func TestEventsArePlacedByTheirKeys(t *testing.T) {
	records := recordsOf(500, 10)
	headers := Headers{}.With("content-type", "application/json")
	for i := range records {
		records[i].Headers = headers
	}
	batches, n, err := newPlacement("shop.events", 8).batches(records)
	require.NoError(t, err)
	require.Equal(t, len(records), n)
	require.Len(t, batches, 8)
	library := sarama.NewHashPartitioner("shop.events")
	placed := map[string]int32{}
	for partition, batch := range batches {
		require.Len(t, batch.Records, int(batch.LastOffsetDelta)+1)
		last := 0
		for i, r := range batch.Records {
			require.EqualValues(t, i, r.OffsetDelta)
			require.Equal(t, "content-type", string(r.Headers[0].Key))
			require.Equal(t, "application/json", string(r.Headers[0].Value))
			key, err := strconv.Atoi(string(r.Key))
			require.NoError(t, err)
			require.Greater(t, key, last, "in their order")
			placed[string(r.Key)], last = partition, key
		}
	}
	for _, r := range records {
		expected, err := library.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(r.Key)}, 8)
		require.NoError(t, err)
		require.Equal(t, expected, placed[string(r.Key)])
	}
}

// No batch exceeds what the topic accepts; records that do not fit one request are sent with the next one, in order.
func TestALargePageIsSeveralRequests(t *testing.T) {
	records := recordsOf(3000, 700)
	placing := newPlacement("shop.events", 1)
	var keys []string
	requests := 0
	for rest := records; len(rest) > 0; requests++ {
		batches, n, err := placing.batches(rest)
		require.NoError(t, err)
		require.Positive(t, n)
		size := 0
		for _, r := range batches[0].Records {
			keys = append(keys, string(r.Key))
			size += len(r.Key) + len(r.Value)
		}
		require.Len(t, batches[0].Records, n)
		require.LessOrEqual(t, size, maxBatchBytes)
		rest = rest[n:]
	}
	require.Greater(t, requests, 1)
	require.Len(t, keys, len(records))
	for i, r := range records {
		require.Equal(t, string(r.Key), keys[i])
	}
}

// A record that is larger than a batch may be is sent alone.
func TestALargeRecordIsABatchOfItsOwn(t *testing.T) {
	records := recordsOf(3, 10)
	records[1].Value = make([]byte, 2*maxBatchBytes)
	placing := newPlacement("shop.dead", 1)
	var sizes []int
	for rest := records; len(rest) > 0; {
		batches, n, err := placing.batches(rest)
		require.NoError(t, err)
		sizes = append(sizes, len(batches[0].Records))
		rest = rest[n:]
	}
	require.Equal(t, []int{1, 1, 1}, sizes)
}

func TestHeadersAreNotShared(t *testing.T) {
	one := Headers{}.With("a", "1")
	two, three := one.With("b", "2"), one.With("c", "3")
	text := func(h Headers) (text string) {
		for _, header := range h {
			text += fmt.Sprintf("%s=%s ", header.Key, header.Value)
		}
		return text
	}
	require.Equal(t, "a=1 ", text(one))
	require.Equal(t, "a=1 b=2 ", text(two))
	require.Equal(t, "a=1 c=3 ", text(three))
}

func TestASenderNeedsABrokerToOpen(t *testing.T) {
	_, err := OpenSender(Options{SASLMechanism: "MAGIC"}, "shop.events")
	require.ErrorContains(t, err, "kafka settings")
	_, err = OpenSender(Options{Brokers: []string{"127.0.0.1:1"}}, "shop.events")
	require.ErrorContains(t, err, "reach kafka")
}
