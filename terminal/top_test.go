package terminal

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// script is a Source that plays one stream after the other: the events of a stream, a second apart, and then its end. After the
// last stream it is silent.
type script struct {
	streams []stream
	asked   []string
}

type stream struct {
	events []string // name and data
	ends   error
}

func (s *script) play(ctx context.Context, what string, each func(string, []byte)) error {
	s.asked = append(s.asked, what)
	if len(s.streams) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	now := s.streams[0]
	s.streams = s.streams[1:]
	for i, event := range now.events {
		if i > 0 {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		name, data, _ := strings.Cut(event, " ")
		each(name, []byte(data))
	}
	return now.ends
}

func (s *script) WatchSales(ctx context.Context, each func(string, []byte)) error {
	return s.play(ctx, "sales", each)
}

func (s *script) WatchSale(ctx context.Context, id string, q Query, each func(string, []byte)) error {
	return s.play(ctx, strings.Join([]string{id, q.Search, q.Sort}, "/"), each)
}

var (
	errAway  = errors.New("the gateway is away")
	liveOnce = "live " + strings.ReplaceAll(twoSKUs, "\n", " ")
)

// shownBy runs top without a terminal for a time, and returns its blocks.
func shownBy(t *testing.T, top Top, length time.Duration) (blocks []string, err error) {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		top.In, top.Out = strings.NewReader(""), &out
		err = top.Run(ctx)
	})
	require.NotContains(t, out.String(), "\x1b", "no terminal, no colours")
	return strings.Split(strings.TrimSuffix(out.String(), "\n\n"), "\n\nflashsale"), err
}

func TestOneBlockASecond(t *testing.T) {
	source := &script{streams: []stream{{events: []string{`history {}`, liveOnce, liveOnce}, ends: errAway}, {ends: errAway},
		{events: []string{liveOnce}}}}
	blocks, err := shownBy(t, Top{Source: source, Sale: "a"}, 8500*time.Millisecond)
	require.NoError(t, err)
	text := strings.Join(blocks, "")
	require.Equal(t, 8, strings.Count(text, "loaded 10 "), "seconds 1, 2 and so on, although the source was away: %s", text)
	require.Contains(t, text, "the gateway is away; trying again")
	require.Contains(t, text, "12:00:03Z  3s old", "the last numbers come at second 4, and no more follow")
	require.Equal(t, []string{"a//sku", "a//sku", "a//sku", "a//sku"}, source.asked)
}

func TestOnce(t *testing.T) {
	source := &script{streams: []stream{{events: []string{`history {}`, liveOnce, liveOnce}}}}
	blocks, err := shownBy(t, Top{Source: source, Sale: "a", Search: "ph", Sort: "sold", Once: true}, time.Minute)
	require.NoError(t, err)
	require.Len(t, blocks, 1)
	require.Contains(t, blocks[0], "phone ")
	require.NotContains(t, blocks[0], "quit")
	require.Equal(t, []string{"a/ph/sold"}, source.asked)
	sales := `sales {"at":"2026-11-11T12:00:00.000Z","sales":[{"id":"a","state":"open"},{"id":"b","state":"open"}]}`
	source = &script{streams: []stream{{events: []string{sales}}}}
	blocks, err = shownBy(t, Top{Source: source, Search: "B", Once: true}, time.Minute)
	require.NoError(t, err)
	require.Contains(t, blocks[0], "\nb ")
	require.NotContains(t, blocks[0], "\na ")
}

// A stream that brings nothing at the start is the answer: an unknown sale, a wrong token, no gateway.
func TestFirstStreamThatFails(t *testing.T) {
	for _, once := range []bool{true, false} {
		_, err := shownBy(t, Top{Source: &script{streams: []stream{{ends: errAway}}}, Sale: "a", Once: once}, time.Minute)
		require.ErrorIs(t, err, errAway)
	}
	_, err := shownBy(t, Top{Source: &script{streams: []stream{{events: []string{"live []"}}}}, Once: true}, time.Minute)
	require.ErrorContains(t, err, "read the numbers of the sale")
}

func TestOutputThatBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &script{streams: []stream{{events: []string{liveOnce}}}}
		err := Top{Source: source, Sale: "a", Out: broken{}}.Run(t.Context())
		require.ErrorIs(t, err, errAway)
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errAway }

func TestEnvironment(t *testing.T) {
	top := Top{Environ: []string{"TERM=xterm", "NO_COLOR", "TERM=dumb"}}
	require.Equal(t, "dumb", top.env("TERM"), "the last one counts, as for a shell")
	require.Empty(t, top.env("NO_COLOR"))
	require.False(t, top.onTerminal())
}
