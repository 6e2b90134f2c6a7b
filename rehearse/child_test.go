package rehearse

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script is a program that stands for a gateway.
func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o700))
	return name
}

// A process says where it listens, is asked there until it is ready, and ends with its input.
func TestAProcessThatBecomesReady(t *testing.T) {
	var asked atomic.Int64
	probes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 || r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer probes.Close()
	address := strings.TrimPrefix(probes.URL, "http://")
	c, err := startChild(script(t, `echo "$1 $2 $GREETING" >&2
echo '{"msg":"gateway is ready","buyers":"b:1","operators":"`+address+`","n":1}' >&2
echo '{"msg":"gateway is ready","buyers":"late"}' >&2
cat >/dev/null`), "gateway", []string{"GREETING=hello"})
	require.NoError(t, err)
	listens, err := c.ready(t.Context(), "operators")
	require.NoError(t, err)
	require.Equal(t, "b:1", listens["buyers"])
	require.EqualValues(t, 3, asked.Load())
	require.True(t, c.running())
	require.Contains(t, c.log(), "gateway --until-stdin-ends hello")
	require.NoError(t, c.end())
	require.False(t, c.running())
	require.NoError(t, c.end(), "once more")
}

// The error of a process that fails has the last lines of its log, and no more.
func TestAProcessThatFails(t *testing.T) {
	c, err := startChild(script(t, `i=0; while [ $i -lt 50 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 3`), "settle", nil)
	require.NoError(t, err)
	_, err = c.ready(t.Context(), "listen")
	require.ErrorContains(t, err, "settle of the rehearsal did not become ready: it ended (exit status 3)")
	require.ErrorContains(t, err, "line 49")
	require.NotContains(t, err.Error(), "line 29\n")
	require.NoError(t, c.end())
	_, err = startChild(filepath.Join(t.TempDir(), "absent"), "gateway", nil)
	require.ErrorContains(t, err, "start gateway")
}

// A process that never gets ready is named with what its probe answers; the wait ends with its context.
func TestAProcessThatIsNeverReady(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	probes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"checks":{"kafka":"away"}}`, http.StatusServiceUnavailable)
	}))
	defer probes.Close()
	c, err := startChild(script(t, `echo '{"msg":"settle is ready","listen":"`+strings.TrimPrefix(probes.URL, "http://")+
		`"}' >&2; cat >/dev/null`), "settle", nil)
	require.NoError(t, err)
	_, err = c.ready(ctx, "listen")
	require.Error(t, err)
	require.Regexp(t, `"kafka":"away"|deadline exceeded`, err.Error())
	require.NoError(t, c.end())
	silent, err := startChild(script(t, "cat >/dev/null"), "gateway", nil)
	require.NoError(t, err)
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err = silent.ready(short, "operators")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, silent.end())
}

func TestLinesThatSayReady(t *testing.T) {
	require.Nil(t, readyLine([]byte("not JSON")))
	require.Nil(t, readyLine([]byte(`{"msg":"waiting"}`)))
	require.Nil(t, readyLine([]byte(`{"msg":7}`)))
	require.Equal(t, map[string]string{"msg": "settle is ready", "listen": "a:1"},
		readyLine([]byte(`{"msg":"settle is ready","listen":"a:1","n":5}`)))
}
