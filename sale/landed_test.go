package sale

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// landedRecord is a record as a version wrote it that may still be in a topic or a journal.
type landedRecord struct {
	What   string `json:"what"`
	Record string `json:"record"`
	Means  Record `json:"means"`
}

// TestLandedRecordsStayReadable: gateways and settling processes of two versions work side by side, and a topic keeps records for
// years. Lines of the file are only added, one for each form that a version writes.
func TestLandedRecordsStayReadable(t *testing.T) {
	text, err := os.ReadFile("testdata/landed-records.jsonl")
	require.NoError(t, err)
	kinds := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var landed landedRecord
		require.NoError(t, json.Unmarshal([]byte(line), &landed), "%s", line)
		got, err := DecodeRecord([]byte(landed.Record))
		require.NoError(t, err, landed.What)
		require.Equal(t, landed.Means, got, landed.What)
		kinds[strings.Join(strings.Fields(landed.Record)[:2], " ")]++
	}
	require.Equal(t, map[string]int{"fs2 batch": 4, "fs2 fence": 1, "fs2 transfer": 2}, kinds)
}
