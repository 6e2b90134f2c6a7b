package sale

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLinesOfAnOutboxRow(t *testing.T) {
	require.Equal(t, 2, (&OutboxRow{Lines: make([]OutboxLine, 2)}).LineCount())
	require.Equal(t, 3, (&OutboxRow{Orders: []ReleasedOrder{
		{OrderID: 1, Lines: []Line{{SKU: "phone", Quantity: 9}}},
		{OrderID: 2, Lines: []Line{{SKU: "phone", Quantity: 1}, {SKU: "case", Quantity: 1}}},
	}}).LineCount())
	require.Zero(t, (&OutboxRow{}).LineCount())
}
