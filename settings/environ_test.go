package settings

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A process that is started with the environment of another one has the same settings, secrets too.
func TestEnvironmentOfAnotherProcess(t *testing.T) {
	given := append(complete(), "FLASHSALE_GATEWAY_TRUSTED_PROXIES=10.0.0.0/8,192.168.1.1", "FLASHSALE_REDIS_ADDRS=a:1,b:2",
		"FLASHSALE_RESERVE_BATCH_MAX_WAIT=0s", "FLASHSALE_KAFKA_TLS=true", "FLASHSALE_SETTLE_GC_PERCENT=77")
	first := mustLoad(t, "gateway", nil, given)
	second := mustLoad(t, "gateway", nil, first.Environ())
	require.Equal(t, first.Environ(), second.Environ())
	for i, value := range second.Values() {
		require.Equal(t, first.Values()[i].Text, value.Text, value.Setting.Name)
	}
	require.Equal(t, first.MySQL.DSN.Reveal(), second.MySQL.DSN.Reveal())
	require.Equal(t, 77, second.Settle.GCPercent)
}
