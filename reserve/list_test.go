package reserve

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
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

// A list is whole or it is not there; the one before it is freed.
func TestListLoads(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	require.NoError(t, w.redis.LoadList(ctx, "sale", 1, 2500, listOf(2500)))
	require.NoError(t, w.redis.LoadList(ctx, "sale", 1, 2500, listOf(2500)), "twice is once")
	has := func(version, size int64) bool {
		whole, err := w.redis.HasList(ctx, "sale", version, size)
		require.NoError(t, err)
		return whole
	}
	require.True(t, has(1, 2500))
	require.False(t, has(1, 2499))
	require.NoError(t, w.redis.LoadList(ctx, "sale", 5, 10, listOf(10)))
	require.True(t, has(5, 10))
	require.True(t, has(1, 0), "the old list is freed")

	broken := errors.New("the database went away")
	require.ErrorIs(t, w.redis.LoadList(ctx, "sale", 6, 10, func(add func(string) error) error { return broken }), broken)
	late := func(add func(string) error) error { return errors.Join(listOf(listChunk+1)(add), broken) }
	require.ErrorIs(t, w.redis.LoadList(ctx, "sale", 6, 10, late), broken)
	require.Error(t, w.redis.LoadList(ctx, "sale", 6, 10, listOf(9)), "one is missing")
	over, cut := context.WithCancel(ctx)
	cut()
	endless := listOf(1 << 40)
	require.ErrorIs(t, w.redis.LoadList(over, "sale", 6, 10, endless), context.Canceled)
	require.True(t, has(5, 10), "a failed load frees nothing")
}

// Only listed buyers buy; a list that is not whole refuses nobody by mistake, and is reported.
func TestListedSale(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 100, 1)
	require.NoError(t, w.redis.LoadList(context.Background(), "sale", 1, 50, listOf(50)))
	press := func(buyer string, version, size int64) sale.Answer {
		p := w.purchase(b, buyer)
		p.ListVersion, p.ListSize = version, size
		return w.engine.Reserve(p)
	}
	require.Equal(t, sale.OutcomeQueued, press("listed-1", 1, 50).Outcome)
	require.Equal(t, sale.OutcomeNotEligible, press("other", 1, 50).Outcome)
	require.Empty(t, w.db.reported())
	fenced := press("listed-2", 2, 50)
	require.Equal(t, sale.OutcomeFenced, fenced.Outcome)
	require.Equal(t, "list 2 has 0 buyers, not 50", fenced.Reason)
	require.Equal(t, sale.OutcomeFenced, press("listed-2", 1, 51).Outcome)
	eventually(t, func() bool { return len(w.db.reported()) == 1 }, "the loss is reported")
	require.Equal(t, int64(99), w.reading(b).Available)
}
