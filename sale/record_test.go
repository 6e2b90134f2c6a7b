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

const sampleRecord = "fs2 batch demo 3 2 41 1001 1793700000123 3\n" +
	"1001 phone:1:129900 buyer-1\n" +
	"1002 phone:2:129900,Case.1:1:0 buyer-2 key with spaces\n" +
	"1003 case:100:1000000000000 b:3|x \n"

func sampleBatch() *Batch {
	return &Batch{
		Bucket: Bucket{"demo", 3}, Epoch: 2, Sequence: 41, BatchID: 1001, CreatedMS: 1793700000123,
		Orders: []RecordOrder{
			{1001, []Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129900}}, "buyer-1", ""},
			{1002, []Line{{SKU: "phone", Quantity: 2, UnitPriceCents: 129900}, {SKU: "Case.1", Quantity: 1}}, "buyer-2",
				"key with spaces"},
			{1003, []Line{{SKU: "case", Quantity: 100, UnitPriceCents: MaxPriceCents}}, "b:3|x", ""},
		},
	}
}

// Redis and Kafka store these bytes, and a script writes them too: they never change within a version.
func TestRecordBytes(t *testing.T) {
	want := strings.Replace(sampleRecord, "b:3|x \n", "b:3|x\n", 1)
	assert.Equal(t, want, string(AppendBatch(nil, sampleBatch())))
	got, err := DecodeRecord([]byte(want))
	require.NoError(t, err)
	assert.Equal(t, Record{Batch: sampleBatch()}, got)

	assert.Equal(t, "fs2 fence r-2-demo\n", string(AppendFence(nil, "r-2-demo")))
	got, err = DecodeRecord([]byte("fs2 fence r-2-demo\n"))
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
	head := func(fields string) string { return "fs2 batch " + fields + "\n1001 phone:1:0 b\n" }
	good := head("demo 0 1 1 1001 5 1")
	_, err := DecodeRecord([]byte(good))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"empty":                    "",
		"a newline":                "\n",
		"no record":                "hello\n",
		"json":                     `{"order_id":"1"}` + "\n",
		"another version":          strings.Replace(good, "fs2", "fs1", 1),
		"another kind":             strings.Replace(good, "batch", "transfer", 1),
		"version alone":            "fs2\n",
		"a fence without token":    "fs2 fence\n",
		"a fence with empty token": "fs2 fence \n",
		"a fence with two tokens":  "fs2 fence a b\n",
		"a fence with no id":       "fs2 fence _A\n",
		"a field too few":          head("demo 0 1 1 1001 5"),
		"a field too many":         head("demo 0 1 1 1001 5 1 1"),
		"two spaces":               head("demo  0 1 1 1001 5 1"),
		"a space at the end":       head("demo 0 1 1 1001 5 1 "),
		"carriage returns":         strings.ReplaceAll(good, "\n", "\r\n"),
		"a sale that is no id":     head("_demo 0 1 1 1001 5 1"),
		"a sale too long":          head(strings.Repeat("p", 65) + " 0 1 1 1001 5 1"),
		"a bucket out of range":    head("demo 64 1 1 1001 5 1"),
		"a huge bucket":            head("demo 18446744073709551616 1 1 1001 5 1"),
		"a bucket that wraps":      head("demo 4294967296 1 1 1001 5 1"),
		"a negative epoch":         head("demo 0 -1 1 1001 5 1"),
		"a signed sequence":        head("demo 0 1 +1 1001 5 1"),
		"a leading zero":           head("demo 0 01 1 1001 5 1"),
		"hexadecimal":              head("demo 0 0x1 1 1001 5 1"),
		"a fraction":               head("demo 0 1 1.5 1001 5 1"),
		"an id above 63 bits":      "fs2 batch demo 0 1 1 9223372036854775808 5 1\n9223372036854775808 phone:1:0 b\n",
		"a time after 9999":        head(fmt.Sprintf("demo 0 1 1 1001 %d 1", MaxCreatedMS+1)),
		"no orders":                "fs2 batch demo 0 1 1 1001 5 0\n",
		"fewer orders than said":   head("demo 0 1 1 1001 5 2"),
		"more orders than said":    good + "1002 phone:1:0 b\n",
		"another batch id":         head("demo 0 1 1 1002 5 1"),
		"an empty line":            "fs2 batch demo 0 1 1 1001 5 1\n\n",
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
		"", "1001", "1001 p:1:0", "1001 p:1:0 ", "1001  p:1:0 b", " 1001 p:1:0 b", "0 p:1:0 b", "-1001 p:1:0 b", "01001 p:1:0 b",
		"x p:1:0 b", "1001 1 b", "1001 p:1 b", "1001 p b", "1001  b", "1001 p:1:0, b", "1001 ,p:1:0 b", "1001 p:1:0;q:1:0 b",
		"1001 p:1:0,p:1:0 b", "1001 p:1:0,q:1:0,p:2:0 b", "1001 p:0:0 b", "1001 p:101:0 b", "1001 p:-1:0 b", "1001 p:+1:0 b",
		"1001 p:01:0 b", "1001 p:1.0:0 b", "1001 p:x:0 b", "1001 p:99999999999999999999:0 b", "1001 p:1: b", "1001 p::0 b",
		"1001 :1:0 b", "1001 p:1:0:0 b", "1001 p:1:1000000000001 b", "1001 p:1:-1 b", "1001 p:1:00 b", "1001 _p:1:0 b",
		"1001 " + strings.Repeat("p", 65) + ":1:0 b",
		"1001 p:1:0 b/c", "1001 p:1:0 " + strings.Repeat("b", 65), "1001 p:1:0 b ", `1001 p:1:0 b k"`, `1001 p:1:0 b k\`,
		"1001 p:1:0 b k\x01", "1001 p:1:0 b " + strings.Repeat("k", 129), "1001 p:1:0 bä", "1001\tp:1:0\tb",
	} {
		_, err := DecodeRecord([]byte("fs2 batch demo 0 1 1 1001 5 1\n" + line + "\n"))
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
	dear := func(i int) Line { return Line{SKU: longSKU(i), Quantity: MaxQuantity, UnitPriceCents: MaxPriceCents} }
	for i := range MaxRecordOrders {
		b.Orders = append(b.Orders, RecordOrder{OrderID(math.MaxInt64 - i), []Line{dear(0), dear(1)},
			strings.Repeat("b", MaxIDBytes), strings.Repeat("k", MaxKeyBytes)})
	}
	b.BatchID = b.Orders[0].OrderID
	largest := AppendBatch(nil, b)
	assert.LessOrEqual(t, len(largest), MaxRecordBytes, "the largest batch fits a record")
	got, err := DecodeRecord(largest)
	require.NoError(t, err)
	require.Equal(t, b, got.Batch)
	_, err = DecodeRecord(append(largest, make([]byte, MaxRecordBytes)...))
	assert.ErrorContains(t, err, "bytes are more than")

	b.Orders[7].Lines = append(b.Orders[7].Lines, dear(2))
	_, err = DecodeRecord(AppendBatch(nil, b))
	assert.ErrorContains(t, err, "2001 lines are more than 2000")
	b.Orders = append(b.Orders, RecordOrder{1, []Line{dear(0)}, "b", ""})
	_, err = DecodeRecord(AppendBatch(nil, b))
	assert.ErrorIs(t, err, ErrRecord)
}

// longSKU returns the i-th SKU of the greatest length.
func longSKU(i int) string { return fmt.Sprintf("%0*d", MaxIDBytes, i) }

func TestMostLinesOfAnOrder(t *testing.T) {
	b := sampleBatch()
	lines := make([]Line, MaxLines+1)
	for i := range lines {
		lines[i] = Line{SKU: longSKU(i), Quantity: 1}
	}
	b.Orders[2].Lines = lines[:MaxLines]
	got, err := DecodeRecord(AppendBatch(nil, b))
	require.NoError(t, err)
	require.Equal(t, b, got.Batch, "also where the lines of the orders before it were elsewhere in memory")
	b.Orders[2].Lines = lines
	_, err = DecodeRecord(AppendBatch(nil, b))
	assert.ErrorIs(t, err, ErrRecord)
}

// An error contains at most a part of a hostile record, so that the log stays short.
func TestErrorsOfRecordsAreShort(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, text := range []string{long + "\n", "fs2 " + long + "\n", "fs2 fence " + long + "!\n", "fs2 batch " + long +
		" 0 1 1 1 1 1\n",
		"fs2 batch a " + long + " 1 1 1 1 1\n", "fs2 batch a 0 1 1 1 1 1\n" + long + "\n",
		"fs2 transfer a 0 1 1 1 1 1 " + long + "\n",
		"fs2 transfer " + long + " 0 1 1 1 1 1 a:1\n", "fs2 transfer a " + long + " 1 1 1 1 1 a:1\n"} {
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
	f.Add([]byte("fs2 batch demo 63 0 0 1 253402300799999 1\n1 p:1:0 b  k \n"))
	f.Add([]byte("fs2 batch demo 0 1 1 2 5 2\n2 p:1:0 b\n2 p:1:0 b\n"))
	f.Add([]byte("fs2 batch demo 0 1 1 1 5 1\n1 p:1:0,p:1:0 b\n"))
	f.Add([]byte("fs2 batch demo 0 1 1 1 5 1\n1 p:1:0,q:100:1000000000000 b\n"))
	f.Add([]byte("fs1 batch demo 0 1 1 1 5 1\n1 p:1:0 b\n"))
	f.Add([]byte("fs2 transfer demo 0 1 1 1 5 63 p:1,q:10000000\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodeRecord(data)
		switch {
		case err != nil:
			require.ErrorIs(t, err, ErrRecord)
			require.Nil(t, got.Batch)
		case got.Transfer != nil:
			require.Equal(t, string(data), string(AppendTransfer(nil, got.Transfer)))
		case got.Batch == nil:
			require.Equal(t, string(data), string(AppendFence(nil, got.Fence)))
		default:
			require.Equal(t, string(data), string(AppendBatch(nil, got.Batch)))
			for _, o := range got.Batch.Orders {
				require.GreaterOrEqual(t, UnitsOf(o.Lines), len(o.Lines))
			}
		}
	})
}

func drawBatch(t *rapid.T) *Batch {
	orders := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) RecordOrder {
		return RecordOrder{
			OrderID: OrderID(rapid.Int64Range(1, math.MaxInt64).Draw(t, "id")),
			Lines:   drawLines(t),
			Buyer:   drawBuyer(t, "buyer"),
			Key:     rapid.StringMatching(`([ !#-\[\]-~]{1,128})?`).Draw(t, "key"),
		}
	}), 1, 20, func(o RecordOrder) OrderID { return o.OrderID }).Draw(t, "orders")
	return &Batch{
		Bucket: drawBucket(t, "bucket"), Epoch: rapid.Int64Range(0, math.MaxInt64).Draw(t, "epoch"),
		Sequence:  rapid.Int64Range(0, math.MaxInt64).Draw(t, "sequence"),
		CreatedMS: rapid.Int64Range(0, MaxCreatedMS).Draw(t, "created"),
		BatchID:   orders[0].OrderID, Orders: orders,
	}
}
