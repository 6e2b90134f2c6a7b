package chaos

import (
	"context"

	"github.com/stretchr/testify/require"

	"flashsale/test/check/gather"
)

// waiting counts what is on its way out of the database, and the orders that Redis counts as journaled.
func (s *story) waiting() map[string]int64 {
	s.t.Helper()
	waiting, err := gather.Waiting(context.Background(), s.books)
	require.NoError(s.t, err)
	for k := range s.buckets() {
		waiting["journaled orders"] += number(s.meta(k, "held")[0])
	}
	return waiting
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
