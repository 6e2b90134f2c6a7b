package scripts

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// ReadVerdict reads every verdict, and never takes a truncated or unknown one for a refusal.
func TestRefusals(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_123).UTC()
	for verdict, want := range map[string]sale.Answer{
		"R h 2 5 1790000000123 1": {Outcome: sale.OutcomeReplayed, OrderID: 17, Quantity: 2, CreatedAt: at,
			Status: sale.StatusHeld},
		"R h 2 5 1790000000123 0": {Outcome: sale.OutcomeReplayed, OrderID: 17, Quantity: 2, CreatedAt: at,
			Status: sale.StatusQueued},
		"R h 1 0 0 0": {Outcome: sale.OutcomeReplayed, OrderID: 17, Quantity: 1, Status: sale.StatusQueued},
		"K h":         {Outcome: sale.OutcomeKeyReused, OrderID: 17},
		"L 3":         {Outcome: sale.OutcomeOverLimit, Limit: 3},
		"B 3 2 h":     {Outcome: sale.OutcomeAlreadyBought, Limit: 3, Bought: 2, OrderID: 17},
		"E 4":         {Outcome: sale.OutcomeNotEnough, Available: 4},
		"S":           {Outcome: sale.OutcomeSoldOut},
		"J":           {Outcome: sale.OutcomeUnavailable},
		"W":           {Outcome: sale.OutcomePaused},
	} {
		got, ok := ReadVerdict(verdict, "paused")
		require.True(t, ok, verdict)
		require.Equal(t, want, got.Answer, verdict)
		require.False(t, got.Taken, verdict)
		if head, _, cut := strings.Cut(verdict, " "); cut {
			_, ok = ReadVerdict(head, "")
			require.False(t, ok, "%q is cut", verdict)
		}
	}
	for _, bad := range []string{"", "X", "C 8", "C 8 many", "R !", "B 3 2 !", "E many", "A", "A 1", "A 1 x"} {
		_, ok := ReadVerdict(bad, "")
		require.False(t, ok, bad)
	}
}
