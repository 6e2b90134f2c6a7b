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
const (
	oracleID     = `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`
	oracleNumber = `(0|[1-9][0-9]{0,18})`
)

var (
	oracleFence    = regexp.MustCompile(`\Afs2 fence ` + oracleID + `\n\z`)
	oracleHead     = regexp.MustCompile(`\Afs2 batch ` + oracleID + strings.Repeat(` `+oracleNumber, 6) + `\z`)
	oracleTransfer = regexp.MustCompile(`\Afs2 transfer ` + oracleID + strings.Repeat(` `+oracleNumber, 6) + ` (\S+)\n\z`)
	oracleUnits    = regexp.MustCompile(`\A(` + oracleID + `):([1-9][0-9]{0,7})\z`)
	oracleLine     = regexp.MustCompile(`\A(` + oracleID + `):([1-9][0-9]?|100):` + oracleNumber + `\z`)
	oracleOrder    = regexp.MustCompile(`\A([1-9][0-9]{0,18}) (\S+) [A-Za-z0-9._:@|+-]{1,64}( [ !#-\[\]-~]{1,128})?\z`)
)

// oracleAccepts reports whether data is a record, by the comment of the format.
func oracleAccepts(data string) bool {
	if len(data) > MaxRecordBytes {
		return false
	}
	if oracleFence.MatchString(data) {
		return true
	}
	if fields := oracleTransfer.FindStringSubmatch(data); fields != nil {
		n, ok := oracleNumbers(fields[1:7])
		return ok && n[0] <= 63 && n[3] > 0 && n[4] <= MaxCreatedMS && n[5] <= 63 && n[0] != n[5] &&
			oracleList(fields[7], 1000, oracleUnits, 10_000_000)
	}
	lines := strings.Split(data, "\n")
	if lines[len(lines)-1] != "" {
		return false // no newline at the end
	}
	head := oracleHead.FindStringSubmatch(lines[0])
	if head == nil {
		return false
	}
	n, ok := oracleNumbers(head[1:])
	bucket, batchID, created, count := n[0], n[3], n[4], n[5]
	orders := lines[1 : len(lines)-1]
	return ok && bucket <= 63 && created <= MaxCreatedMS && count >= 1 && count <= 1000 && int64(len(orders)) == count &&
		oracleOrders(orders, batchID)
}

func oracleNumbers(fields []string) (numbers [6]int64, ok bool) {
	for i := range numbers {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return numbers, false
		}
		numbers[i] = n
	}
	return numbers, true
}

// oracleList accepts at most so many elements that match, with distinct first fields and a last field up to highest.
func oracleList(text string, most int, element *regexp.Regexp, highest int64) bool {
	elements, seen := strings.Split(text, ","), map[string]bool{}
	for _, one := range elements {
		fields := element.FindStringSubmatch(one)
		if fields == nil || seen[fields[1]] {
			return false
		}
		seen[fields[1]] = true
		if n, err := strconv.ParseInt(fields[len(fields)-1], 10, 64); err != nil || n > highest {
			return false
		}
	}
	return len(elements) <= most
}

func oracleOrders(lines []string, batchID int64) bool {
	seen, all := map[int64]bool{}, 0
	for i, line := range lines {
		fields := oracleOrder.FindStringSubmatch(line)
		if fields == nil {
			return false
		}
		id, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || seen[id] || (i == 0 && id != batchID) || !oracleList(fields[2], 20, oracleLine, 1_000_000_000_000) {
			return false
		}
		seen[id] = true
		all += strings.Count(fields[2], ",") + 1
	}
	return all <= 2000
}

// Decoder and oracle agree about records with one random change.
func TestDecoderAgreesWithTheOracle(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		data := AppendBatch(nil, drawBatch(t))
		if rapid.IntRange(0, 4).Draw(t, "kind") == 0 {
			data = AppendTransfer(nil, drawTransfer(t))
		}
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
	fresh := rapid.SampledFrom([]string{" ", "\n", "0", "1", "9", "a", "Z", "\"", "\\", "\x00", "ä", "-", "+", ":", ",", ":1:0,",
		"fs2 ", "64", "101"}).Draw(t, "fresh")
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
		"fs2 fence a\n": true, "fs2 fence a": false, "fs2 fence a\n\n": false, "fs1 fence a\n": false, "": false, "\n": false,
		"fs2 batch demo 0 1 1 1001 5 1\n1001 p:1:0 b\n":                 true,
		"fs2 batch demo 0 1 1 1001 5 1\n1001 p:1:0,q:1:0 b\n":           true,
		"fs2 batch demo 0 1 1 1001 5 1\n1001 p:1:0,p:1:0 b\n":           false,
		"fs2 batch demo 0 1 1 1001 5 1\n1001 p:1:1000000000001 b\n":     false,
		"fs2 batch demo 0 1 1 1001 5 2\n1001 p:1:0 b\n1001 p:1:0 b\n":   false,
		"fs2 batch demo 64 1 1 1001 5 1\n1001 p:1:0 b\n":                false,
		"fs2 batch demo 0 1 1 1002 5 1\n1001 p:1:0 b\n":                 false,
		"fs2 batch demo 0 1 1 1001 253402300800000 1\n1001 p:1:0 b\n":   false,
		"fs2 transfer demo 0 1 1 1001 5 1 p:1,q:10000000\n":             true,
		"fs2 transfer demo 0 1 1 1001 5 1 p:1,q:10000001\n":             false,
		"fs2 transfer demo 1 1 1 1001 5 1 p:1\n":                        false,
		"fs2 transfer demo 0 1 1 1001 5 1 p:1,p:1\n":                    false,
		"fs2 batch demo 0 1 1 1001 5 1\n1001 " + manyLines(20) + " b\n": true,
		"fs2 batch demo 0 1 1 1001 5 1\n1001 " + manyLines(21) + " b\n": false,
	} {
		assert.Equal(t, want, oracleAccepts(text), "%q", text)
		_, err := DecodeRecord([]byte(text))
		assert.Equal(t, want, err == nil, "%q", text)
	}
}

func manyLines(n int) string {
	lines := make([]Line, n)
	for i := range lines {
		lines[i] = Line{SKU: longSKU(i), Quantity: 1}
	}
	return string(AppendLines(nil, lines))
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

// Settlement decodes every record: one string for the whole record, one slice for its orders, one for their
// lines where each has one, and a few for the header.
func TestDecodingAllocatesPerRecordAndNotPerOrder(t *testing.T) {
	allocations := func(n int) float64 {
		b := sampleBatch()
		b.Orders = nil
		for i := range n {
			line := Line{SKU: "phone", Quantity: 1}
			b.Orders = append(b.Orders, RecordOrder{OrderID(1001 + i), []Line{line}, "some-buyer", "some key"})
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
