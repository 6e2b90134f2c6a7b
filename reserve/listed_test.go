package reserve

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
)

// Only listed buyers buy. A list that is not whole in Redis refuses no buyer by mistake, and is reported.
func TestListedSale(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 100, 1)
	require.NoError(t, w.Redis.LoadList(context.Background(), "sale", 1, 50, fakes.ListOf(50)))
	press := func(buyer string, version, size int64) sale.Answer {
		p := w.Purchase(b, buyer)
		p.ListVersion, p.ListSize = version, size
		return w.engine.Reserve(p)
	}
	require.Equal(t, sale.OutcomeQueued, press("listed-1", 1, 50).Outcome)
	require.Equal(t, sale.OutcomeNotEligible, press("other", 1, 50).Outcome)
	require.Empty(t, w.DB.Reported())
	fenced := press("listed-2", 2, 50)
	require.Equal(t, sale.OutcomeFenced, fenced.Outcome)
	require.Equal(t, "list 2 has 0 buyers, not 50", fenced.Reason)
	require.Equal(t, sale.OutcomeFenced, press("listed-2", 1, 51).Outcome)
	fakes.Eventually(t, func() bool { return len(w.DB.Reported()) == 1 }, "the loss is reported")
	require.Equal(t, int64(99), w.Shelf(b).Available)
}
