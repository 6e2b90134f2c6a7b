package sale

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// An error names the store that failed first, not those that this failure stops. Its text stays that of the cause.
func TestAwayNamesTheStoreFurthestDown(t *testing.T) {
	cause := errors.New("connection refused")
	err := Away(StoreRedis, fmt.Errorf("rebuild: %w", Away(StoreKafka, cause)))
	require.Equal(t, StoreKafka, AwayStore(fmt.Errorf("preload: %w", err)))
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "rebuild: connection refused")
	require.Equal(t, StoreDatabase, AwayStore(cause))
	require.NoError(t, Away(StoreRedis, nil))
}
