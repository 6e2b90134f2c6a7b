package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// The target of a refused request is what the request named: it writes no line of its own, and steers no terminal.
func TestTrailIsATableWhateverItsEntriesName(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, printTrail(&out, []sale.TrailEntry{{
		Who: "night", Role: sale.RoleOperator, Verb: "pause", Target: "sale/s\nboss\tadmin\x1b[2J\u009b1m",
		Outcome: "sale_not_found",
		Before:  json.RawMessage("{\"name\":\"\u009b2J\u202e\"}"), After: json.RawMessage("null"),
	}}))
	require.Equal(t, 2, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), `sale/s?boss?admin?[2J?1m  sale_not_found  {"name":"?2J?"}`)
}
