package e2e

import (
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// epochs returns the epoch of every bucket of a sale, by its number.
func (s *stack) epochs(saleID string) []int64 {
	s.t.Helper()
	rows, err := s.DB().Query("SELECT epoch FROM buckets WHERE sale_id = ? ORDER BY bucket", saleID)
	require.NoError(s.t, err)
	defer rows.Close()
	var all []int64
	for rows.Next() {
		var epoch int64
		require.NoError(s.t, rows.Scan(&epoch))
		all = append(all, epoch)
	}
	require.NoError(s.t, rows.Err())
	return all
}

// watchFences returns a function that fails when a bucket of the sale was fenced, that is closed and opened under another
// epoch, since watchFences was called.
func (s *stack) watchFences(saleID string) (unfenced func()) {
	s.t.Helper()
	before := s.epochs(saleID)
	require.NotEmpty(s.t, before)
	return func() {
		s.t.Helper()
		assert.Equal(s.t, before, s.epochs(saleID), "a bucket was fenced")
		var closed int
		require.NoError(s.t,
			s.DB().QueryRow("SELECT COUNT(*) FROM buckets WHERE sale_id = ? AND state <> 'open'", saleID).Scan(&closed))
		assert.Zero(s.t, closed)
	}
}

// reopens waits until a bucket is open under a later epoch than the one given.
func (s *stack) reopens(saleID string, bucket int, epoch int64) {
	s.t.Helper()
	db := s.DB()
	require.Eventually(s.t, func() bool {
		var now int64
		err := db.QueryRow("SELECT epoch FROM buckets WHERE sale_id = ? AND bucket = ? AND state = 'open'", saleID, bucket).
			Scan(&now)
		return err == nil && now > epoch
	}, 20*time.Second, 10*time.Millisecond, "bucket %d of %s is not open again", bucket, saleID)
}

// shelf reads what Redis has of a SKU in a bucket: available, taken, limit, number, moved and returned.
func (s *stack) shelf(redis *harness.RedisServer, saleID string, bucket int, sku string) []int {
	s.t.Helper()
	text, _ := redis.MustDo(s.t, "HGET", s.shelves(saleID, bucket), sku).(string)
	fields := make([]int, 0, 6)
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(word)
		require.NoError(s.t, err, text)
		fields = append(fields, n)
	}
	require.Len(s.t, fields, 6, "%s in bucket %d of %s", sku, bucket, saleID)
	return fields
}

// shelves returns the key of the stock of a bucket.
func (s *stack) shelves(saleID string, bucket int) string {
	return s.Name + ":{" + saleID + ":" + strconv.Itoa(bucket) + "}:stock"
}

// moveUnits changes the available units of a SKU in Redis by hand, past the engine. Nobody may buy meanwhile.
func (s *stack) moveUnits(redis *harness.RedisServer, saleID string, bucket int, sku string, units int) {
	s.t.Helper()
	fields := s.shelf(redis, saleID, bucket, sku)
	fields[0] += units
	words := make([]string, len(fields))
	for i, n := range fields {
		words[i] = strconv.Itoa(n)
	}
	redis.MustDo(s.t, "HSET", s.shelves(saleID, bucket), sku, strings.Join(words, " "))
}
