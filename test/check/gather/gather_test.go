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
	made := sale.Batch{Bucket: sale.Bucket{Sale: "s", Number: 3}, Epoch: 7, BatchID: 9, CreatedMS: 1234,
		Orders: []sale.RecordOrder{
			{OrderID: 11, Buyer: "b", Lines: []sale.Line{{SKU: "a", Quantity: 1}, {SKU: "b", Quantity: 2}}},
			{OrderID: 12, Buyer: "c", Lines: []sale.Line{{SKU: "a", Quantity: 2}}, Key: "k"}}}
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

// server answers each command of one bucket by its key.
type server map[string]any

func (s server) Do(args ...string) (any, error) {
	if answer, known := s[args[0]+" "+args[1]]; known {
		return answer, nil
	}
	return nil, errors.New("unknown command")
}

func TestABucketInRedis(t *testing.T) {
	id := strconv.FormatInt(1234567, 36)
	redis := server{"HMGET n:{s:1}:meta": []any{"4", "open"},
		"HGETALL n:{s:1}:stock":  []any{"a", "6 9 1 35 0 2", "b", "1 0 1 2 0 0"},
		"HGETALL n:{s:1}:buyers": []any{"bert", `"` + id + `,2:3+z,a,key,1,1"` + id + `,-9,,2,2"`}}
	ofDatabase := check.Shelf{SKU: "a", Stock: sale.Stock{InFlight: -5}}
	b := check.Bucket{Sale: "s", Number: 1, Shelves: []check.Shelf{ofDatabase}}
	require.Equal(t, "n:{s:1}:", Key("n", &b))
	require.NoError(t, readBucket(redis, "n:{s:1}:", &b))
	assert.Equal(t, int64(4), b.RedisEpoch)
	assert.Equal(t, "open", b.RedisState)
	assert.Equal(t, []check.Shelf{{SKU: "a", Stock: sale.Stock{Available: 6, InFlight: 2}},
		{SKU: "b", Stock: sale.Stock{Available: 1}}}, b.Shelves)
	assert.Equal(t, []check.Owner{
		{Buyer: "bert", Order: "1234567", Lines: []check.Line{{SKU: "b", Quantity: 3}, {SKU: "a", Quantity: 1}}},
		{Buyer: "bert", Order: "1234567", Lines: []check.Line{{SKU: "number 9", Quantity: 1}}, Gone: true}}, b.Owners)
}

func TestWhatRedisCannotHave(t *testing.T) {
	for _, entries := range []string{"", "?,1,", "a", "a,b:c", "a,?", "a,1:"} {
		_, err := Owners(nil, nil, "bert", entries)
		assert.Error(t, err, entries)
	}
	for _, value := range []string{"", "1 2 3", "1 2 3 4 5 6 7"} {
		_, err := Shelves(&check.Bucket{}, []string{"a", value})
		assert.Error(t, err, value)
	}
	assert.Error(t, readBucket(server{}, "n:", &check.Bucket{}))
	assert.Error(t, readBucket(server{"HMGET n:meta": []any{"1"}}, "n:", &check.Bucket{}))
	assert.Error(t, readBucket(server{"HMGET n:meta": []any{nil, nil}}, "n:", &check.Bucket{}))
}
