package gather

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/check"
)

func TestRecordsOfTheOrdersTopic(t *testing.T) {
	made := sale.Batch{Bucket: sale.Bucket{Sale: "s", SKU: "a", Number: 3}, Epoch: 7, BatchID: 9, CreatedMS: 1234,
		Orders: []sale.RecordOrder{{OrderID: 11, Buyer: "b", Quantity: 1}, {OrderID: 12, Buyer: "c", Quantity: 2, Key: "k"}}}
	read, is := Batch(string(sale.AppendBatch(nil, &made)))
	require.True(t, is)
	assert.Equal(t, check.Batch{Sale: "s", SKU: "a", Bucket: 3, Epoch: 7, CreatedMS: 1234, Orders: []string{"11", "12"}}, read)
	_, is = Batch(string(sale.AppendFence(nil, "token")))
	assert.False(t, is)
	_, is = Batch("")
	assert.False(t, is)
}

func TestEvents(t *testing.T) {
	read := Event([]byte("7"), []byte(`{"id":"7:paid","type":"flashsale.order.paid","subject":"7","data":{"a":1}}`))
	assert.Equal(t, check.Event{ID: "7:paid", Order: "7", Status: "paid", Data: `{"a":1}`}, read)
	assert.Equal(t, "7", Event([]byte("7"), []byte("no JSON")).ID)
}

// server answers two commands of one bucket.
type server map[string]any

func (s server) Do(args ...string) (any, error) {
	if answer, known := s[args[0]]; known {
		return answer, nil
	}
	return nil, errors.New("unknown command")
}

func TestABucketInRedis(t *testing.T) {
	id := strconv.FormatInt(1234567, 36)
	redis := server{"HMGET": []any{"4", "open", "6", "9", "2"},
		"HGETALL": []any{"bert", `"` + id + `,2,a,key,1,1"` + id + `,-1,,2,2"`}}
	b := check.Bucket{Sale: "s", SKU: "a", Number: 1}
	b.InFlight = -5 // of the database
	require.Equal(t, "n:{s:a:1}:", Key("n", &b))
	require.NoError(t, readBucket(redis, "n:{s:a:1}:", &b))
	assert.Equal(t, int64(4), b.RedisEpoch)
	assert.Equal(t, "open", b.RedisState)
	assert.Equal(t, int64(6), b.Available)
	assert.Equal(t, int64(2), b.InFlight)
	assert.Equal(t, []check.Owner{{Buyer: "bert", Order: "1234567", Units: 2}, {Buyer: "bert", Order: "1234567", Units: -1}},
		b.Owners)
}

func TestWhatRedisCannotHave(t *testing.T) {
	for _, entries := range []string{"", "?,1,", "a", "a,b"} {
		_, err := Owners(nil, "bert", entries)
		assert.Error(t, err, entries)
	}
	assert.Error(t, readBucket(server{}, "n:", &check.Bucket{}))
	assert.Error(t, readBucket(server{"HMGET": []any{"1"}}, "n:", &check.Bucket{}))
	assert.Error(t, readBucket(server{"HMGET": []any{nil, nil, nil, nil, nil}}, "n:", &check.Bucket{}))
}
