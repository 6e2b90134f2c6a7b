package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// said returns the lines of a process's log whose message begins so.
func said(p *harness.Process, message string) (found []object) {
	for _, text := range strings.Split(p.Stderr(), "\n") {
		var line object
		if json.Unmarshal([]byte(text), &line) != nil {
			continue // a warning of a library
		}
		if words, _ := line["msg"].(string); strings.HasPrefix(words, message) {
			found = append(found, line)
		}
	}
	return found
}

// says waits until a process has logged a message.
func says(t *testing.T, p *harness.Process, message string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(said(p, message)) > 0 }, 20*time.Second, 5*time.Millisecond,
		"%q\n%s", message, p.Stderr())
}

// TestSignals: SIGHUP ends no process and is answered once; SIGTERM is told when it comes and when all is drained, with the
// order that came in between.
func TestSignals(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	for _, p := range s.processes() {
		p.Hangup()
		says(t, p, "SIGHUP is ignored")
		p.Hangup()
	}
	o := s.taken(ask{buyer: "after-the-hangup"})
	s.becomes(o, "after-the-hangup", "confirmed")
	gateway, settle := s.Gateways[0].Process, s.Settles[0].Process
	ended := make(chan int, 1)
	go func() { ended <- gateway.Term() }()
	says(t, gateway, "ending: draining")
	assert.Empty(t, said(gateway, "ended"), "it still answers")
	s.taken(ask{buyer: "during-the-farewell"})
	require.Zero(t, <-ended)
	require.Zero(t, settle.Term())
	for _, p := range s.processes() {
		assert.Len(t, said(p, "SIGHUP is ignored"), 1)
		begins, ends := said(p, "ending: draining"), said(p, "ended: drained")
		require.Len(t, begins, 1, p.Stderr())
		require.Len(t, ends, 1, p.Stderr())
		assert.Contains(t, begins[0]["why"], "terminated")
	}
	assert.EqualValues(t, 1, said(gateway, "ended: drained")[0]["orders"])
	assert.Contains(t, said(settle, "ended: drained")[0], "rows")

	env, _ := devEnv(t)
	dev := harness.Start(t, s.Bin, env, "dev")
	curlLine(t, dev, 1)
	dev.Hangup()
	says(t, dev, "SIGHUP is ignored")
	require.Zero(t, dev.Term())
	assert.Len(t, said(dev, "ended: drained"), 1, dev.Stderr())
}
