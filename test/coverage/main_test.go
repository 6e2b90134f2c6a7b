package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoomsAreCountedOnce: two test programs ran the same file; what ran in either counts once, and test rooms do not count.
func TestRoomsAreCountedOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "profile")
	require.NoError(t, os.WriteFile(name, []byte(`mode: set
flashsale/sale/order.go:1.1,2.2 3 1
flashsale/sale/order.go:3.1,4.2 1 0
flashsale/test/check/check.go:1.1,2.2 9 0
flashsale/sale/order.go:1.1,2.2 3 0
flashsale/sale/order.go:3.1,4.2 1 0
flashsale/loadtest/client/client.go:1.1,2.2 4 1
`), 0o600))
	rooms, err := read([]string{name})
	require.NoError(t, err)
	require.Equal(t, map[string]count{"sale": {3, 4}, "loadtest": {4, 4}}, rooms)
	var out strings.Builder
	require.InDelta(t, 87.5, report(&out, rooms), 1e-9)
	require.Equal(t, "coverage:  75.0 % of     4 statements in sale\ncoverage: 100.0 % of     4 statements in loadtest\n"+
		"coverage:  87.5 % of     8 statements in all production rooms\n", out.String())
}

func TestAProfileOfNothingIsAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "profile")
	require.NoError(t, os.WriteFile(name, []byte("mode: set\n"), 0o600))
	_, err := read([]string{name})
	require.ErrorContains(t, err, "no production room")
	_, err = read([]string{name + "-absent"})
	require.Error(t, err)
}
