package chaos

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// bucket reads everything about one bucket from the database and from Redis.
func (s *story) bucket(k int) bucket {
	s.t.Helper()
	var b bucket
	var settledEpoch, givenEpoch int64
	err := s.books.QueryRow("SELECT loaded, settled, released, settled_epoch, given_epoch, state, epoch FROM stock "+
		"WHERE sale_id = 's' AND bucket = ?", k).
		Scan(&b.Loaded, &b.Settled, &b.Released, &settledEpoch, &givenEpoch, &b.State, &b.Epoch)
	require.NoError(s.t, err)
	err = s.books.QueryRow("SELECT COALESCE(SUM(IF(status IN ('confirmed', 'paid'), quantity, 0)), 0), "+
		"COALESCE(SUM(IF(status IN ('cancelled', 'expired'), quantity, 0)), 0) FROM orders WHERE sale_id = 's' AND bucket = ?", k).
		Scan(&b.Standing, &b.Returned)
	require.NoError(s.t, err)
	meta := s.meta(k, "epoch", "loaded_state", "available", "held", "taken", "returned")
	b.RedisState = meta[1]
	b.RedisEpoch, b.Available, b.Journaled = number(meta[0]), number(meta[2]), number(meta[3])
	b.InFlight = number(meta[4]) - number(meta[5]) + givenEpoch - settledEpoch
	b.Entries = s.entries(k)
	return b
}

// entries adds the units that count in the buyers' entries of a bucket; those that were given back are below zero there.
func (s *story) entries(k int) (units int64) {
	s.t.Helper()
	found, err := s.redis.primary.Do("HVALS", s.key(k, "buyers"))
	require.NoError(s.t, err)
	for _, value := range found.([]any) {
		for _, entry := range strings.Split(strings.Trim(fmt.Sprint(value), `"`), `"`) {
			n, err := strconv.ParseInt(strings.Split(entry, ",")[1], 10, 64)
			require.NoError(s.t, err, entry)
			units += max(n, 0)
		}
	}
	return units
}

// journaled returns how many entries the journals hold.
func (s *story) journaled() (entries int64) {
	s.t.Helper()
	for k := range s.buckets() {
		n, err := s.redis.primary.Do("XLEN", s.key(k, "journal"))
		require.NoError(s.t, err)
		entries += n.(int64)
	}
	return entries
}
