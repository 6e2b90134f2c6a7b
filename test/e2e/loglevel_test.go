package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// level asks a process for the level of its log, or changes it with a body.
func (s *stack) level(address, method string, body any) object {
	s.t.Helper()
	answer := s.request(method, "http://"+address+"/admin/v1/log-level", body, "Authorization", "Bearer "+adminToken)
	require.Equal(s.t, http.StatusOK, answer.status, "%s", answer.body)
	require.NotEmpty(s.t, answer.header.Get("X-Request-Id"))
	return answer.json(s)
}

// The level of a gateway and of a settling process is changed while they run, each for itself, and returns by itself.
func TestTheLevelOfAProcessChanges(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	for role, address := range map[string]string{"gateway": s.Gateways[0].Operators, "settle": s.Settles[0].Listen} {
		require.Equal(t, "info", s.level(address, http.MethodGet, nil)["level"], role)
		require.Equal(t, "debug", s.level(address, http.MethodPut, object{"level": "debug", "for": "2s"})["level"], role)
		require.Eventually(t, func() bool { return s.level(address, http.MethodGet, nil)["level"] == "info" },
			10*time.Second, 100*time.Millisecond, role)
	}
	trail := s.Succeed("trail", "-o", "json")
	require.Equal(t, 2, strings.Count(trail, `"log_level"`), trail)
	require.Equal(t, 2, strings.Count(trail, `"process/`), trail)
}
