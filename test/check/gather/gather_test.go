package gather

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/check"
)

func TestRecordsOfTheOrdersTopic(t *testing.T) {
	made := sale.Batch{Bucket: sale.Bucket{Sale: "s", Number: 3}, Epoch: 7, BatchID: 9, CreatedMS: 1234,
		Orders: []sale.RecordOrder{{OrderID: 11, Buyer: "b", Lines: []sale.Line{{SKU: "a", Quantity: 1}}},
			{OrderID: 12, Buyer: "c", Lines: []sale.Line{{SKU: "a", Quantity: 1}, {SKU: "b", Quantity: 2}}, Key: "k"}}}
	read, is := Batch(string(sale.AppendBatch(nil, &made)))
	require.True(t, is)
	assert.Equal(t, check.Batch{Sale: "s", Bucket: 3, Epoch: 7, CreatedMS: 1234, Orders: []string{"11", "12"}}, read)
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

// server answers three commands of one bucket.
type server map[string]any

func (s server) Do(args ...string) (any, error) {
	if answer, known := s[strings.Join(args, " ")]; known {
		return answer, nil
	}
	return nil, errors.New("unknown command")
}

const (
	metaOf   = "HMGET n:{s:1}:meta epoch loaded_state"
	stockOf  = "HMGET n:{s:1}:stock a"
	buyersOf = "HGETALL n:{s:1}:buyers"
)

func TestABucketInRedis(t *testing.T) {
	id := strconv.FormatInt(1234567, 36)
	redis := server{metaOf: []any{"4", "open"}, stockOf: []any{"6 9 2 1 0 2"},
		buyersOf: []any{"bert", id + `,1:2+a,a,key,1,1"` + id + `,-1,,2,2`}}
	b := check.Bucket{Sale: "s", Number: 1, Shelves: []check.Shelf{{SKU: "a"}}}
	b.Shelves[0].InFlight = -5 // of the database
	require.Equal(t, "n:{s:1}:", Key("n", &b))
	require.NoError(t, readBucket(redis, "n:{s:1}:", Numbers{1: "a", 10: "k"}, &b))
	assert.Equal(t, int64(4), b.RedisEpoch)
	assert.Equal(t, "open", b.RedisState)
	assert.Equal(t, int64(6), b.Shelves[0].Available)
	assert.Equal(t, int64(2), b.Shelves[0].InFlight)
	assert.Equal(t, []check.Owner{
		{Buyer: "bert", Order: "1234567", Lines: []check.Line{{SKU: "a", Quantity: 2}, {SKU: "k", Quantity: 1}}},
		{Buyer: "bert", Order: "1234567", Lines: []check.Line{{SKU: "a", Quantity: 1}}, Released: true},
	}, b.Owners)
}

func TestWhatRedisCannotHave(t *testing.T) {
	for _, entries := range []string{"", "?,1,,0,0", "a", "a,b,,0,0", "a,2,,0,0", "a,1:x,,0,0", `a,1,,0,0"`} {
		_, err := Owners(nil, Numbers{1: "a"}, "bert", entries)
		assert.Error(t, err, entries)
	}
	for _, answers := range []server{
		{}, {metaOf: []any{"1"}}, {metaOf: []any{nil, nil}}, {metaOf: []any{nil, nil}, stockOf: []any{nil}},
		{metaOf: []any{nil, nil}, stockOf: []any{"1 2 3"}}, {metaOf: []any{nil, nil}, stockOf: []any{"1 2 3 4 5 6"}},
	} {
		assert.Error(t, readBucket(answers, "n:{s:1}:", nil, &check.Bucket{Shelves: []check.Shelf{{SKU: "a"}}}))
	}
}
