package adminclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// streamed is a handler that answers with events.
func streamed(events string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "event: asked\ndata: %s %s\n\n%s", r.Header.Get("Accept"), r.URL.RequestURI(), events)
	})
}

func TestWatchPassesOnEveryEvent(t *testing.T) {
	var got []string
	each := func(event string, data []byte) { got = append(got, event+" "+string(data)) }
	c := ask(t, streamed(":\n\nevent: live\ndata: {\"a\":\"b: c\"}\n\nevent: problem\ndata: {}\n\n"))
	err := c.WatchLive(t.Context(), "a b", LiveQuery{Search: "x&y", Sort: "sold", From: 5, Limit: 7}, each)
	require.ErrorIs(t, err, ErrUnreadable)
	require.ErrorIs(t, err, io.EOF)
	require.ErrorContains(t, err, c.base)
	require.Equal(t, []string{"asked text/event-stream /admin/v1/sales/a%20b/live?from=5&limit=7&q=x%26y&sort=sold",
		`live {"a":"b: c"}`, "problem {}"}, got)
	got = nil
	require.Error(t, c.WatchLiveSales(t.Context(), each))
	require.Equal(t, "asked text/event-stream /admin/v1/live", got[0])
}

func TestWatchOfARefusal(t *testing.T) {
	none := func(event string, _ []byte) { t.Errorf("event %s", event) }
	c := ask(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"status":404,"code":"sale_not_found","title":"There is no such sale"}`)
	}))
	err := c.WatchLive(t.Context(), "s", LiveQuery{}, none)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.ErrorContains(t, err, "flashsale sale list names its sales")
	plain := ask(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	require.ErrorContains(t, plain.WatchLiveSales(t.Context(), none), "answers no events")
}

// A stream without a line, not even a comment, is lost although nothing closes it. One with comments goes on.
func TestSilentStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			context.AfterFunc(r.Context(), func() { _ = reader.CloseWithError(context.Cause(r.Context())) })
			return &http.Response{StatusCode: 200, Request: r, Body: reader,
				Header: http.Header{"Content-Type": {"text/event-stream"}}}, nil
		})
		c, err := NewClient("http://gateway:8081", token)
		require.NoError(t, err)
		c.http = &http.Client{Transport: transport}
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- c.WatchLiveSales(t.Context(), func(string, []byte) {}) }()
		for range 4 {
			<-time.After(15 * time.Second)
			_, err := io.WriteString(writer, ":\n\n")
			require.NoError(t, err)
		}
		require.ErrorIs(t, <-ended, errSilent)
		require.Equal(t, time.Minute+silence, time.Since(began))
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A refusal that its own text does not explain has the listener's address and a next step.
func TestRefusalsNameTheNextStep(t *testing.T) {
	for _, c := range []struct {
		status   int
		body     string
		says     string
		unlocate bool
	}{
		{401, `{"code":"unauthenticated"}`, "set admin.token to the token that the gateway has", false},
		{403, `{"code":"forbidden","role":"operator"}`, "set admin.token to a token with the role operator", false},
		{403, `{"code":"other"}`, "set admin.token to a token with this right", false},
		{404, `{"code":"sale_not_found"}`, "flashsale sale list names its sales", false},
		{404, `{"code":"not_found"}`, "set admin.url to the operators' listener", false},
		{404, `<html>`, "it is not the operators' API: set admin.url", false},
		{200, `<html>`, "", true},
		{502, `<html>`, "a proxy answers there, and reaches no gateway", false},
		{503, `{"code":"unavailable","detail":"the request to Redis failed"}`, "/readyz and its log name the address", false},
		{503, `{"code":"overloaded","detail":"256 event streams are open already"}`, "", true},
		{421, `{"code":"unknown_host"}`, "admin.hosts", false},
		{429, `{"code":"too_many"}`, "wait a minute", false},
		{400, `{"code":"malformed","detail":"name: must be text"}`, "", true},
		{409, `{"code":"wrong_state","detail":"preload first"}`, "", true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, strings.Replace(c.body, "{", fmt.Sprintf(`{"status":%d,`, c.status), 1))
		}))
		client, err := NewClient(server.URL, token)
		require.NoError(t, err)
		_, err = client.Move(t.Context(), "s", "open")
		server.Close()
		if c.unlocate {
			if err != nil {
				require.NotContains(t, err.Error(), server.URL, c.body)
			}
			continue
		}
		require.ErrorContains(t, err, c.says, c.body)
		require.ErrorContains(t, err, "this is the answer of "+server.URL, c.body)
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, c.status, refusal.Status)
	}
}
