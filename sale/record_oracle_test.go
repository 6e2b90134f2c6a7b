package sale

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The record format a second time, as patterns: slow, simple and independent of the decoder.
var (
	oracleFence = regexp.MustCompile(`\Afs1 fence [a-z0-9][a-z0-9_-]{0,63}\n\z`)
	oracleHead  = regexp.MustCompile(`\Afs1 batch ([a-z0-9][a-z0-9_-]{0,63}) ([a-z0-9][a-z0-9_-]{0,63}) ` +
		strings.Repeat(`(0|[1-9][0-9]{0,18}) `, 5) + `(0|[1-9][0-9]{0,18})\z`)
	oracleOrder = regexp.MustCompile(`\A([1-9][0-9]{0,18}) ([1-9][0-9]?|100) ([A-Za-z0-9._:@|+-]{1,64})( [ !#-\[\]-~]{1,128})?\z`)
)

// oracleAccepts reports whether data is a record, by the comment of the format.
func oracleAccepts(data string) bool {
	if len(data) > MaxRecordBytes {
		return false
	}
	if oracleFence.MatchString(data) {
		return true
	}
	lines := strings.Split(data, "\n")
	if lines[len(lines)-1] != "" {
		return false // no newline at the end
	}
	head := oracleHead.FindStringSubmatch(lines[0])
	if head == nil {
		return false
	}
	var numbers [6]int64
	for i := range numbers {
		n, err := strconv.ParseInt(head[3+i], 10, 64)
		if err != nil {
			return false
		}
		numbers[i] = n
	}
	bucket, batchID, created, count := numbers[0], numbers[3], numbers[4], numbers[5]
	orders := lines[1 : len(lines)-1]
	return bucket <= 63 && created <= MaxCreatedMS && count >= 1 && count <= 1000 && int64(len(orders)) == count &&
		oracleOrders(orders, batchID)
}

func oracleOrders(lines []string, batchID int64) bool {
	seen := map[int64]bool{}
	for i, line := range lines {
		fields := oracleOrder.FindStringSubmatch(line)
		if fields == nil {
			return false
		}
		id, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || seen[id] || (i == 0 && id != batchID) {
			return false
		}
		seen[id] = true
	}
	return true
}

// Decoder and oracle agree about records with one random change.
func TestDecoderAgreesWithTheOracle(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		data := AppendBatch(nil, drawBatch(t))
		require.True(t, oracleAccepts(string(data)))
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			data = mutate(t, data)
		}
		_, err := DecodeRecord(data)
		require.Equal(t, oracleAccepts(string(data)), err == nil, "%q: %v", data, err)
		if err == nil {
			accepted++
		} else {
			refused++
		}
	})
	assert.Positive(t, accepted, "some changes leave a record that is fine")
	assert.Positive(t, refused, "most changes do not")
}

// mutate changes, inserts, removes or repeats a few bytes.
func mutate(t *rapid.T, data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
	to := min(at+rapid.IntRange(1, 4).Draw(t, "length"), len(data))
	fresh := rapid.SampledFrom([]string{" ", "\n", "0", "1", "9", "a", "Z", "\"", "\\", "\x00", "ä", "-", "+", "fs1 ", "64",
		"101"}).Draw(t, "fresh")
	before, middle, after := string(data[:at]), string(data[at:to]), string(data[to:])
	switch rapid.SampledFrom([]string{"change", "insert", "remove", "repeat"}).Draw(t, "kind") {
	case "change":
		return []byte(before + fresh + after)
	case "insert":
		return []byte(before + fresh + middle + after)
	case "remove":
		return []byte(before + after)
	}
	return []byte(before + middle + middle + after)
}

func TestOracleKnowsTheFormat(t *testing.T) {
	for text, want := range map[string]bool{
		"fs1 fence a\n": true, "fs1 fence a": false, "fs1 fence a\n\n": false, "": false, "\n": false,
		"fs1 batch demo phone 0 1 1 1001 5 1\n1001 1 b\n":               true,
		"fs1 batch demo phone 0 1 1 1001 5 2\n1001 1 b\n1001 1 b\n":     false,
		"fs1 batch demo phone 64 1 1 1001 5 1\n1001 1 b\n":              false,
		"fs1 batch demo phone 0 1 1 1002 5 1\n1001 1 b\n":               false,
		"fs1 batch demo phone 0 1 1 1001 253402300800000 1\n1001 1 b\n": false,
	} {
		assert.Equal(t, want, oracleAccepts(text), "%q", text)
		_, err := DecodeRecord([]byte(text))
		assert.Equal(t, want, err == nil, "%q", text)
	}
}

func TestDoubledOrderIsFoundWhereverItStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.Int64Range(1, math.MaxInt64), 2, 50, rapid.ID[int64]).Draw(t, "ids")
		orders := make([]RecordOrder, len(ids))
		for i, id := range ids {
			orders[i].OrderID = OrderID(id)
		}
		_, doubled := doubledOrder(orders)
		require.False(t, doubled)
		from, to := rapid.IntRange(0, len(ids)-1).Draw(t, "from"), rapid.IntRange(0, len(ids)-1).Draw(t, "to")
		if from == to {
			return
		}
		orders[to].OrderID = orders[from].OrderID
		id, doubled := doubledOrder(orders)
		require.True(t, doubled)
		require.Equal(t, orders[from].OrderID, id)
	})
}

// Settlement decodes every record: one string for the whole record, one slice for its orders, and a few for the header.
func TestDecodingAllocatesPerRecordAndNotPerOrder(t *testing.T) {
	allocations := func(n int) float64 {
		b := sampleBatch()
		b.Orders = nil
		for i := range n {
			b.Orders = append(b.Orders, RecordOrder{OrderID(1001 + i), 1, "some-buyer", "some key"})
		}
		data := AppendBatch(nil, b)
		return testing.AllocsPerRun(20, func() {
			if _, err := DecodeRecord(data); err != nil {
				panic(err) // the test wrote the record
			}
		})
	}
	assert.Equal(t, allocations(2), allocations(1000))
}
