package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// readyNoise is what a busy machine may add to the second within which a gateway is ready after its last store.
const readyNoise = 3 * time.Second

// TestGatewayIsReadySoonAfterItsStores: a gateway that waits for its stores is ready within a second after the last one is up,
// whichever it is.
func TestGatewayIsReadySoonAfterItsStores(t *testing.T) {
	redis, kafka, mariadb := harness.Redis(t, "--appendfsync", "always"), harness.Kafka(t), harness.MariaDB(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}, Kafka: kafka, MariaDB: mariadb}).run(1, 1)
	g := s.Gateways[0]
	for _, last := range []struct {
		name  string
		store interface {
			Kill()
			Start()
		}
	}{{"redis", redis}, {"kafka", kafka}, {"mariadb", mariadb}} {
		require.Zero(t, g.Term(), g.Stderr())
		last.store.Kill()
		g.Restart()
		s.waitsFor(g.Operators, gatewayWaits[last.name]...)
		last.store.Start()
		up := time.Now()
		require.Eventually(t, func() bool {
			answer, err := operatorClient.Get("http://" + g.Listen + "/readyz")
			if err != nil {
				return false
			}
			_ = answer.Body.Close() // it was read for its status
			return answer.StatusCode == http.StatusOK
		}, time.Minute, 2*time.Millisecond)
		took := time.Since(up)
		t.Logf("ready %v after %s was up", took.Round(time.Millisecond), last.name)
		assert.Less(t, took, time.Second+readyNoise, last.name)
	}
}
