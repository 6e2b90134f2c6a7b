package scripts

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func listOf(n int) func(func(string) error) error {
	return func(add func(string) error) error {
		for i := range n {
			if err := add(fmt.Sprintf("listed-%d", i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// HasList reports true only for a complete list; a load frees the list before it.
func TestListLoads(t *testing.T) {
	r := dialShared(t)
	ctx := context.Background()
	require.NoError(t, r.LoadList(ctx, "sale", 1, 2500, listOf(2500)))
	require.NoError(t, r.LoadList(ctx, "sale", 1, 2500, listOf(2500)), "twice is once")
	has := func(version, size int64) bool {
		whole, err := r.HasList(ctx, "sale", version, size)
		require.NoError(t, err)
		return whole
	}
	require.True(t, has(1, 2500))
	require.False(t, has(1, 2499))
	require.NoError(t, r.LoadList(ctx, "sale", 5, 10, listOf(10)))
	require.True(t, has(5, 10))
	require.True(t, has(1, 0), "the old list is freed")

	broken := errors.New("the database went away")
	require.ErrorIs(t, r.LoadList(ctx, "sale", 6, 10, func(add func(string) error) error { return broken }), broken)
	late := func(add func(string) error) error { return errors.Join(listOf(listChunk+1)(add), broken) }
	require.ErrorIs(t, r.LoadList(ctx, "sale", 6, 10, late), broken)
	require.Error(t, r.LoadList(ctx, "sale", 6, 10, listOf(9)), "one is missing")
	over, cut := context.WithCancel(ctx)
	cut()
	endless := listOf(1 << 40)
	require.ErrorIs(t, r.LoadList(over, "sale", 6, 10, endless), context.Canceled)
	require.True(t, has(5, 10), "a failed load frees nothing")
}
