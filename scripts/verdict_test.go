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
	bought := []sale.Line{{SKU: "phone", Quantity: 1}, {SKU: "case", Quantity: 5}}
	at := time.UnixMilli(1_790_000_000_123).UTC()
	for verdict, want := range map[string]sale.Answer{
		"R h 5 1790000000123 1": {Outcome: sale.OutcomeReplayed, OrderID: 17, CreatedAt: at, Status: sale.StatusHeld},
		"R h 5 1790000000123 0": {Outcome: sale.OutcomeReplayed, OrderID: 17, CreatedAt: at, Status: sale.StatusQueued},
		"R h 0 0 0":             {Outcome: sale.OutcomeReplayed, OrderID: 17, Status: sale.StatusQueued},
		"K h":                   {Outcome: sale.OutcomeKeyReused, OrderID: 17},
		"L 2 3":                 {Outcome: sale.OutcomeOverLimit, Scope: sale.ScopeSKU, SKU: "case", Limit: 3},
		"l 9":                   {Outcome: sale.OutcomeOverLimit, Scope: sale.ScopeSale, Limit: 9},
		"B 1 3 2 h": {Outcome: sale.OutcomeAlreadyBought, Scope: sale.ScopeSKU, SKU: "phone", Limit: 3, Bought: 2,
			OrderID: 17},
		"b 9 8 h": {Outcome: sale.OutcomeAlreadyBought, Scope: sale.ScopeSale, Limit: 9, Bought: 8, OrderID: 17},
		"C 2 3 4": {Outcome: sale.OutcomeTooManyCancellations, SKU: "case", Limit: 3, Unpaid: 4},
		"E 2 4":   {Outcome: sale.OutcomeNotEnough, SKU: "case", Available: 4},
		"S 1":     {Outcome: sale.OutcomeSoldOut, SKU: "phone"},
		"J":       {Outcome: sale.OutcomeUnavailable},
		"W":       {Outcome: sale.OutcomePaused},
	} {
		got, ok := ReadVerdict(verdict, "paused", bought)
		require.True(t, ok, verdict)
		require.Equal(t, want, got.Answer, verdict)
		require.False(t, got.Taken, verdict)
		if head, _, cut := strings.Cut(verdict, " "); cut {
			_, ok = ReadVerdict(head, "", bought)
			require.False(t, ok, "%q is cut", verdict)
		}
	}
	for _, bad := range []string{
		"", "X", "C 1 8", "C 1 8 many", "R !", "B 1 3 2 !", "b 3 2 !", "E 1 many", "A", "A 1", "A 1 x", "S 0", "S 3", "E 3 1",
		"L x 1",
	} {
		_, ok := ReadVerdict(bad, "", bought)
		require.False(t, ok, bad)
	}
}
