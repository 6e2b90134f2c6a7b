package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rights that a failed migration recommends are those of the documentation, which the end-to-end suite migrates with.
func TestMigrationRightsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	require.Contains(t, string(page), "GRANT "+migrationRights+" ON flashsale.* TO 'flashsale_migrate'@'%';")
}
