package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestLinesOfAnOutboxRow(t *testing.T) {
	require.EqualValues(t, 2, LinesOf(&sale.OutboxRow{Lines: make([]sale.OutboxLine, 2)}))
	require.EqualValues(t, 3, LinesOf(&sale.OutboxRow{Orders: []sale.ReleasedOrder{
		given(1, line("phone", 9)), given(2, line("phone", 1), line("case", 1)),
	}}))
	require.Zero(t, LinesOf(&sale.OutboxRow{}))
}
