package check

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

// TestARefusalInTheMillisecondOfATaking: an order is dated to the millisecond, so a refusal of the same millisecond may be
// older; a refusal of the next millisecond is not.
func TestARefusalInTheMillisecondOfATaking(t *testing.T) {
	for name, test := range map[string]struct {
		invoke, back int64
		explained    bool
	}{"the same": {5_033, 5_695, true}, "the next": {6_001, 6_695, false}} {
		for code, answer := range map[string]history.Answer{
			"what is left": {End: history.Refused, Code: "not_enough", Available: 1},
			"what he has":  {End: history.Refused, Code: "already_bought", Bought: 0},
		} {
			evidence := &Evidence{
				Sales: map[string]Sale{"s": {Loaded: map[string]int64{"a": 1}, Limit: 1, EndsMS: 1000}},
				Rows:  []Row{{Order: "1", Sale: "s", Lines: units("a", 1), Buyer: "b", Status: "confirmed", CreatedMS: 5}},
				Ops: []history.Op{{Invoke: test.invoke, Return: test.back, Answer: answer, Question: history.Question{
					Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b", Quantity: 2}}},
			}
			require.Equal(t, test.explained, len(Linearizable(evidence).Faults) == 0, "%s millisecond, %s", name, code)
		}
	}
}

// TestStockThatAnOperatorChanges: units that are added may be sold from the request on and are for sale some time after the
// answer; units that are taken back may be missing from the request on.
func TestStockThatAnOperatorChanges(t *testing.T) {
	soldOut := func(atUS int64) history.Op {
		return history.Op{Invoke: atUS, Return: atUS + 10, Answer: history.Answer{End: history.Refused, Code: "sold_out"},
			Question: history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "c"}}
	}
	evidence := func(units int64, ops ...history.Op) *Evidence {
		return &Evidence{Sales: map[string]Sale{"s": {Loaded: map[string]int64{"a": 1}, Limit: 1, EndsMS: 1000}}, Ops: ops,
			Changes: []StockChange{{Sale: "s", SKU: "a", Units: units, FromUS: 20_000_000, ToUS: 21_000_000}}}
	}
	late := 21_000_000 + arrivalUS + latchLookUS + 1
	require.Empty(t, Linearizable(evidence(1, soldOut(19_000_000))).Faults, "one unit is there in the end, none at first")
	require.NotEmpty(t, Linearizable(evidence(1, soldOut(int64(late)))).Faults)
	require.NotEmpty(t, Linearizable(evidence(-1, soldOut(15_000_000))).Faults, "two units are there at first")
	e := evidence(-1, soldOut(30_000_000))
	require.NotEmpty(t, Linearizable(e).Faults, "and one is left")
	e.Rows = []Row{{Order: "1", Sale: "s", Lines: units("a", 1), Buyer: "b", Status: "confirmed", CreatedMS: 5}}
	require.Empty(t, Linearizable(e).Faults)
}

// TestUnitsBeforeTheyWereTakenBack: orders may have had units at one moment that were given back, and taken back, later.
func TestUnitsBeforeTheyWereTakenBack(t *testing.T) {
	for peak, allowed := range map[int64]bool{5: true, 6: false} {
		r := &report{counts: map[string]int{}}
		checkOversell(&Evidence{Sales: map[string]Sale{"s": {Loaded: map[string]int64{"a": 4}}},
			Peaks: []Peak{{"s", "a", peak}},
			Changes: []StockChange{{Sale: "s", SKU: "a", Units: 1}, {Sale: "s", SKU: "a", Units: -1},
				{Sale: "s", SKU: "b", Units: -1}},
		}, r)
		require.Equal(t, allowed, len(r.faults) == 0, "%d units", peak)
	}
}
