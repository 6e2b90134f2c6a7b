package crash

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// books reads everything that is judged from the database and from Redis.
func (s *story) books() books {
	b := books{Stock: stock, Limit: perBuyer, Said: s.said,
		OutboxRows: s.count("SELECT COUNT(*) FROM outbox"), EventsRows: s.count("SELECT COUNT(*) FROM events")}
	rows, err := s.db.Query("SELECT order_id, buyer_id, idempotency_key, status, bucket, quantity FROM orders WHERE sale_id = 's'")
	require.NoError(s.t, err)
	defer rows.Close()
	for rows.Next() {
		var r row
		require.NoError(s.t, rows.Scan(&r.ID, &r.Buyer, &r.Key, &r.Status, &r.Bucket, &r.Quantity))
		b.Rows = append(b.Rows, r)
	}
	require.NoError(s.t, rows.Err())
	for k := range buckets {
		b.Buckets = append(b.Buckets, s.bucket(k))
	}
	return b
}

func (s *story) bucket(k int) bucket {
	var b bucket
	err := s.db.QueryRow("SELECT loaded, settled, released, state, epoch FROM stock WHERE sale_id = 's' AND bucket = ?", k).
		Scan(&b.Loaded, &b.Settled, &b.Released, &b.State, &b.Epoch)
	require.NoError(s.t, err)
	meta := s.meta(k, "epoch", "loaded_state", "available", "journaled")
	b.RedisState = meta[1]
	for i, field := range map[int]*int{0: &b.RedisEpoch, 2: &b.Available, 3: &b.Held} {
		*field, err = strconv.Atoi(meta[i])
		require.NoError(s.t, err)
	}
	entries, err := s.redis.Do("HVALS", s.key(k, "buyers"))
	require.NoError(s.t, err)
	for _, value := range entries.([]any) {
		for _, entry := range strings.Split(strings.Trim(fmt.Sprint(value), `"`), `"`) {
			units, err := strconv.Atoi(strings.Split(entry, ",")[1])
			require.NoError(s.t, err, entry)
			b.Entries += max(units, 0)
			b.Refunded += max(-units, 0)
		}
	}
	return b
}

func (s *story) journaled() int64 {
	var entries int64
	for k := range buckets {
		n, err := s.redis.Do("XLEN", s.key(k, "journal"))
		require.NoError(s.t, err)
		entries += n.(int64)
	}
	return entries
}
