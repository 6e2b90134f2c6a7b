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
			"what is left": {End: history.Refused, Code: "not_enough", Of: "a", Available: 1},
			"what he has":  {End: history.Refused, Code: "already_bought", Of: "a", Bought: 0},
		} {
			evidence := &Evidence{
				Sales: map[string]Sale{"s": {Loaded: map[string]int64{"a": 1}, Limit: 1, EndsMS: 1000}},
				Rows:  []Row{{Order: "1", Sale: "s", Lines: history.One("a", 1), Buyer: "b", Status: "confirmed", CreatedMS: 5}},
				Ops: []history.Op{{Invoke: test.invoke, Return: test.back, Answer: answer, Question: history.Question{
					Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b", Quantity: 2}}},
			}
			require.Equal(t, test.explained, len(Linearizable(evidence).Faults) == 0, "%s millisecond, %s", name, code)
		}
	}
}
