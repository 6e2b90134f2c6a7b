package sale

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const sampleRecord = "fs1 batch demo phone 3 2 41 1001 1793700000123 3\n" +
	"1001 1 buyer-1\n" +
	"1002 2 buyer-2 key with spaces\n" +
	"1003 100 b:3|x \n"

func sampleBatch() *Batch {
	return &Batch{
		Bucket: Bucket{"demo", "phone", 3}, Epoch: 2, Sequence: 41, BatchID: 1001, CreatedMS: 1793700000123,
		Orders: []RecordOrder{{1001, 1, "buyer-1", ""}, {1002, 2, "buyer-2", "key with spaces"}, {1003, 100, "b:3|x", ""}},
	}
}

// Redis and Kafka store these bytes, and a script writes them too: they never change within a version.
func TestRecordBytes(t *testing.T) {
	want := strings.Replace(sampleRecord, "b:3|x \n", "b:3|x\n", 1)
	assert.Equal(t, want, string(AppendBatch(nil, sampleBatch())))
	got, err := DecodeRecord([]byte(want))
	require.NoError(t, err)
	assert.Equal(t, Record{Batch: sampleBatch()}, got)
	assert.Equal(t, int64(103), got.Batch.Units())

	assert.Equal(t, "fs1 fence r-2-demo\n", string(AppendFence(nil, "r-2-demo")))
	got, err = DecodeRecord([]byte("fs1 fence r-2-demo\n"))
	require.NoError(t, err)
	assert.Equal(t, Record{Fence: "r-2-demo"}, got)
}

func TestDecodedRecordsShareNoMemory(t *testing.T) {
	data := AppendBatch(nil, sampleBatch())
	got, err := DecodeRecord(data)
	require.NoError(t, err)
	for i := range data {
		data[i] = 'x'
	}
	assert.Equal(t, sampleBatch(), got.Batch)
}

func TestRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawBatch(t)
		got, err := DecodeRecord(AppendBatch(nil, want))
		require.NoError(t, err)
		require.Equal(t, want, got.Batch)
		require.Empty(t, got.Fence)
	})
	rapid.Check(t, func(t *rapid.T) {
		token := drawID(t, "token")
		got, err := DecodeRecord(AppendFence(nil, token))
		require.NoError(t, err)
		require.Equal(t, Record{Fence: token}, got)
	})
}

// DecodeRecord refuses a record that is cut at any byte: no part of a batch settles alone.
func TestTruncatedRecordsAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := AppendBatch(nil, drawBatch(t))
		cut := rapid.IntRange(0, len(whole)-1).Draw(t, "cut")
		_, err := DecodeRecord(whole[:cut])
		require.ErrorIs(t, err, ErrRecord)
	})
	fence := AppendFence(nil, "token")
	for cut := range fence {
		_, err := DecodeRecord(fence[:cut])
		assert.ErrorIs(t, err, ErrRecord, "%d bytes", cut)
	}
}

func TestDoubledRecordsAreRefused(t *testing.T) {
	batch, fence := AppendBatch(nil, sampleBatch()), AppendFence(nil, "token")
	for _, data := range [][]byte{
		append(batch, batch...), append(fence, fence...), append(batch, fence...), append(fence, batch...), append(batch, '\n'),
		append(fence, '\n'),
	} {
		_, err := DecodeRecord(data)
		assert.ErrorIs(t, err, ErrRecord)
	}
}

func TestRecordsOutsideTheFormatAreRefused(t *testing.T) {
	head := func(fields string) string { return "fs1 batch " + fields + "\n1001 1 b\n" }
	good := head("demo phone 0 1 1 1001 5 1")
	_, err := DecodeRecord([]byte(good))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"empty":                    "",
		"a newline":                "\n",
		"no record":                "hello\n",
		"json":                     `{"order_id":"1"}` + "\n",
		"a later version":          strings.Replace(good, "fs1", "fs2", 1),
		"another kind":             strings.Replace(good, "batch", "transfer", 1),
		"version alone":            "fs1\n",
		"a fence without token":    "fs1 fence\n",
		"a fence with empty token": "fs1 fence \n",
		"a fence with two tokens":  "fs1 fence a b\n",
		"a fence with capitals":    "fs1 fence A\n",
		"a field too few":          head("demo phone 0 1 1 1001 5"),
		"a field too many":         head("demo phone 0 1 1 1001 5 1 1"),
		"two spaces":               head("demo  phone 0 1 1 1001 5 1"),
		"a space at the end":       head("demo phone 0 1 1 1001 5 1 "),
		"carriage returns":         strings.ReplaceAll(good, "\n", "\r\n"),
		"a sale with capitals":     head("Demo phone 0 1 1 1001 5 1"),
		"a SKU too long":           head("demo " + strings.Repeat("p", 65) + " 0 1 1 1001 5 1"),
		"a bucket out of range":    head("demo phone 64 1 1 1001 5 1"),
		"a huge bucket":            head("demo phone 18446744073709551616 1 1 1001 5 1"),
		"a bucket that wraps":      head("demo phone 4294967296 1 1 1001 5 1"),
		"a negative epoch":         head("demo phone 0 -1 1 1001 5 1"),
		"a signed sequence":        head("demo phone 0 1 +1 1001 5 1"),
		"a leading zero":           head("demo phone 0 01 1 1001 5 1"),
		"hexadecimal":              head("demo phone 0 0x1 1 1001 5 1"),
		"a fraction":               head("demo phone 0 1 1.5 1001 5 1"),
		"an id above 63 bits":      "fs1 batch demo phone 0 1 1 9223372036854775808 5 1\n9223372036854775808 1 b\n",
		"a time after 9999":        head(fmt.Sprintf("demo phone 0 1 1 1001 %d 1", MaxCreatedMS+1)),
		"no orders":                "fs1 batch demo phone 0 1 1 1001 5 0\n",
		"fewer orders than said":   head("demo phone 0 1 1 1001 5 2"),
		"more orders than said":    good + "1002 1 b\n",
		"another batch id":         head("demo phone 0 1 1 1002 5 1"),
		"an empty line":            "fs1 batch demo phone 0 1 1 1001 5 1\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeRecord([]byte(text))
			require.ErrorIs(t, err, ErrRecord)
			assert.Empty(t, got.Fence)
			assert.Nil(t, got.Batch)
		})
	}
}

func TestOrderLinesOutsideTheFormatAreRefused(t *testing.T) {
	for _, line := range []string{
		"", "1001", "1001 1", "1001 1 ", "1001  b", " 1001 1 b", "0 1 b", "-1001 1 b", "01001 1 b", "x 1 b",
		"1001 0 b", "1001 101 b", "1001 -1 b", "1001 +1 b", "1001 01 b", "1001 1.0 b", "1001 x b", "1001 99999999999999999999 b",
		"1001 1 b/c", "1001 1 " + strings.Repeat("b", 65), "1001 1 b ", `1001 1 b k"`, `1001 1 b k\`, "1001 1 b k\x01",
		"1001 1 b " + strings.Repeat("k", 129), "1001 1 bä", "1001\t1\tb",
	} {
		_, err := DecodeRecord([]byte("fs1 batch demo phone 0 1 1 1001 5 1\n" + line + "\n"))
		assert.ErrorIs(t, err, ErrRecord, "%q", line)
	}
}

func TestKeysMayBeginAndEndWithSpaces(t *testing.T) {
	b := sampleBatch()
	b.Orders[1].Key = "  k  "
	got, err := DecodeRecord(AppendBatch(nil, b))
	require.NoError(t, err)
	assert.Equal(t, "  k  ", got.Batch.Orders[1].Key)
}

func TestAnOrderStandsOnceInABatch(t *testing.T) {
	b := sampleBatch()
	b.Orders[2].OrderID = 1001
	_, err := DecodeRecord(AppendBatch(nil, b))
	assert.ErrorContains(t, err, "order 1001 occurs twice")

	b = sampleBatch()
	b.Orders[1].OrderID, b.Orders[2].OrderID = 900, 950 // ids need not rise
	_, err = DecodeRecord(AppendBatch(nil, b))
	assert.NoError(t, err)
}

func TestLimitsOfARecord(t *testing.T) {
	b := sampleBatch()
	b.Orders = nil
	for i := range MaxRecordOrders {
		b.Orders = append(b.Orders, RecordOrder{OrderID(math.MaxInt64 - i), MaxQuantity, strings.Repeat("b", MaxIDBytes),
			strings.Repeat("k", MaxKeyBytes)})
	}
	b.BatchID = b.Orders[0].OrderID
	largest := AppendBatch(nil, b)
	assert.LessOrEqual(t, len(largest), MaxRecordBytes, "the largest batch fits a record")
	_, err := DecodeRecord(largest)
	require.NoError(t, err)

	b.Orders = append(b.Orders, RecordOrder{1, 1, "b", ""})
	_, err = DecodeRecord(AppendBatch(nil, b))
	assert.ErrorIs(t, err, ErrRecord)
	_, err = DecodeRecord(append(largest, make([]byte, MaxRecordBytes)...))
	assert.ErrorContains(t, err, "bytes are more than")
}

// An error contains at most a part of a hostile record, so that the log stays short.
func TestErrorsOfRecordsAreShort(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, text := range []string{long + "\n", "fs1 " + long + "\n", "fs1 fence " + long + "!\n", "fs1 batch " + long +
		" a 0 1 1 1 1 1\n",
		"fs1 batch a a " + long + " 1 1 1 1 1\n", "fs1 batch a a 0 1 1 1 1 1\n" + long + "\n"} {
		_, err := DecodeRecord([]byte(text))
		require.ErrorIs(t, err, ErrRecord)
		assert.Less(t, len(err.Error()), 600)
	}
}

// A decoded record encodes to the same bytes, so settlement, relay and replay may compare records by their bytes.
func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(sampleRecord))
	f.Add(AppendBatch(nil, sampleBatch()))
	f.Add(AppendFence(nil, "token"))
	f.Add([]byte("fs1 batch demo phone 63 0 0 1 253402300799999 1\n1 1 b  k \n"))
	f.Add([]byte("fs1 batch demo phone 0 1 1 2 5 2\n2 1 b\n2 1 b\n"))
	f.Add([]byte("fs2 batch demo phone 0 1 1 1 5 1\n1 1 b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodeRecord(data)
		switch {
		case err != nil:
			require.ErrorIs(t, err, ErrRecord)
			require.Nil(t, got.Batch)
		case got.Batch == nil:
			require.Equal(t, string(data), string(AppendFence(nil, got.Fence)))
		default:
			require.Equal(t, string(data), string(AppendBatch(nil, got.Batch)))
			require.GreaterOrEqual(t, got.Batch.Units(), int64(len(got.Batch.Orders)))
		}
	})
}

func drawBatch(t *rapid.T) *Batch {
	orders := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) RecordOrder {
		return RecordOrder{
			OrderID:  OrderID(rapid.Int64Range(1, math.MaxInt64).Draw(t, "id")),
			Quantity: rapid.IntRange(1, MaxQuantity).Draw(t, "quantity"),
			Buyer:    drawBuyer(t, "buyer"),
			Key:      rapid.StringMatching(`([ !#-\[\]-~]{1,128})?`).Draw(t, "key"),
		}
	}), 1, 20, func(o RecordOrder) OrderID { return o.OrderID }).Draw(t, "orders")
	return &Batch{
		Bucket: drawBucket(t, "bucket"), Epoch: rapid.Int64Range(0, math.MaxInt64).Draw(t, "epoch"),
		Sequence:  rapid.Int64Range(0, math.MaxInt64).Draw(t, "sequence"),
		CreatedMS: rapid.Int64Range(0, MaxCreatedMS).Draw(t, "created"),
		BatchID:   orders[0].OrderID, Orders: orders,
	}
}
