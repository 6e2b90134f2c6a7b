package app

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The operators' page says the same of a store that is away as /readyz does.
func TestThePageSaysWhatEachStoreMeans(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	page := strings.ReplaceAll(string(text), "`", "")
	for row, means := range map[string]string{
		"| gateway | redis | required | ":    gatewayWithoutRedis,
		"| gateway | kafka | degraded | ":    gatewayWithoutKafka,
		"| gateway | database | degraded | ": gatewayWithoutDatabase,
		"| settle | redis | degraded | ":     settleWithoutRedis,
		"| settle | kafka | required | ":     settleWithoutKafka,
		"| settle | database | required | ":  settleWithoutDatabase,
	} {
		require.Contains(t, page, row+means+" |")
	}
}
