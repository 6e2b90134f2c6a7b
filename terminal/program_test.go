package terminal

import (
	"context"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/require"
)

// begun is a program of a sale after Init; play gives it the next update of its watch.
func begun(t *testing.T, source Source, id string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	top := Top{Source: source, Sale: id}
	p := &program{ctx: ctx, source: source, state: top.start(), updates: make(chan update), stop: func() {}}
	p.state.style = style{on: true}
	p.Init()
	return p
}

func (p *program) play(t *testing.T) tea.Cmd {
	t.Helper()
	_, next := p.Update(p.next())
	return next
}

func typed(key string) tea.KeyPressMsg {
	codes := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "down": tea.KeyDown}
	if code, special := codes[key]; special {
		return tea.KeyPressMsg{Code: code}
	}
	return tea.KeyPressMsg{Code: []rune(key)[0], Text: key}
}

func TestProgramShowsAndFollowsKeys(t *testing.T) {
	sales := `sales {"at":"2026-11-11T12:00:00.000Z","sales":[{"id":"a","state":"open"},{"id":"b","state":"open"}]}`
	source := &script{streams: []stream{{events: []string{sales}, ends: errAway}, {events: []string{liveOnce}}}}
	p := begun(t, source, "")
	require.Contains(t, p.View().Content, "waiting for the first numbers")
	p.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
	require.NotNil(t, p.play(t))
	view := p.View()
	require.Contains(t, view.Content, "2 sales")
	require.True(t, view.AltScreen)
	require.Equal(t, "flashsale", view.WindowTitle)
	p.Update(typed("down"))
	_, next := p.Update(typed("enter"))
	require.Nil(t, next, "the wait for updates goes on; a second one would double them")
	require.Equal(t, "b", p.state.id)
	for p.state.live == nil { // an update of the list may be on its way; it is dropped
		p.play(t)
	}
	view = p.View()
	require.Contains(t, view.Content, "phone")
	require.Equal(t, "flashsale b", view.WindowTitle)
	_, next = p.Update(typed("q"))
	require.IsType(t, tea.QuitMsg{}, next())
	_, next = p.Update(tick{})
	require.NotNil(t, next, "the clock goes on")
}

func TestProgramDropsWhatIsOld(t *testing.T) {
	p := begun(t, &script{}, "a")
	live, _ := eventOf("live", []byte(twoSKUs))
	_, next := p.Update(update{watch: p.watch - 1, at: time.Now(), event: live})
	require.NotNil(t, next)
	require.Nil(t, p.state.live)
	p.Update(update{watch: p.watch, at: time.Now(), event: live})
	require.NotNil(t, p.state.live)
	_, next = p.Update(update{watch: p.watch, at: time.Now(), event: lost{errAway}})
	require.NotNil(t, next)
	require.Contains(t, p.View().Content, "the gateway is away; trying again")
	require.NoError(t, p.first)
}

// The program ends with the error of a first stream that brings nothing.
func TestProgramEndsWithTheFirstError(t *testing.T) {
	p := begun(t, &script{streams: []stream{{ends: errAway}}}, "a")
	next := p.play(t)
	require.IsType(t, tea.QuitMsg{}, next())
	require.ErrorIs(t, p.first, errAway)
}

func TestProgramEndsWithItsContext(t *testing.T) {
	p := begun(t, &script{}, "a")
	ctx, cancel := context.WithCancel(t.Context())
	p.ctx = ctx
	cancel()
	require.Nil(t, p.next())
}
