package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// program is the live screen as bubbletea runs it: its goroutine alone uses the state.
type program struct {
	ctx     context.Context
	source  Source
	state   *screen
	updates chan update
	watch   int    // number of the present watch
	stop    func() // ends it
	first   error  // why the first stream brought no numbers
}

// tick makes the clocks of the screen go on.
type tick struct{}

func (t *Top) screen(ctx context.Context) error {
	p := &program{ctx: ctx, source: t.Source, state: t.start(), updates: make(chan update), stop: func() {}}
	p.state.style = style{on: true, colour: t.env("NO_COLOR") == ""}
	running := tea.NewProgram(p, tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithEnvironment(t.Environ),
		tea.WithoutSignalHandler())
	_, err := running.Run()
	p.stop()
	if ctx.Err() != nil && errors.Is(err, tea.ErrProgramKilled) { // SIGTERM, SIGINT of another process
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("show the screen: %w", err)
	}
	return errors.Join(p.first, err)
}

// Init begins the first watch.
func (p *program) Init() tea.Cmd {
	p.rewatch()
	return tea.Batch(p.next, ticks())
}

func ticks() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return tick{} }) }

// next waits for an update.
func (p *program) next() tea.Msg {
	select {
	case u := <-p.updates:
		return u
	case <-p.ctx.Done():
		return nil
	}
}

// rewatch ends the present watch and begins one of what the screen shows now.
func (p *program) rewatch() {
	p.stop()
	ctx, stop := context.WithCancel(p.ctx)
	p.watch, p.stop = p.watch+1, stop
	number, id, query := p.watch, p.state.id, p.state.query
	go watch(ctx, p.source, id, query, func(event any) {
		select {
		case p.updates <- update{number, time.Now(), event}:
		case <-ctx.Done():
		}
	})
}

// Update takes a key, the size of the window, an update or a tick.
func (p *program) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch m := message.(type) {
	case tea.WindowSizeMsg:
		p.state.width, p.state.height = m.Width, m.Height
	case tea.KeyPressMsg:
		switch p.state.key(m.String(), m.Text) {
		case quits:
			return p, tea.Quit
		case rewatches:
			p.rewatch()
		case nothing:
		}
	case update:
		if m.watch != p.watch {
			return p, p.next
		}
		gone, is := m.event.(lost)
		if is && p.watch == 1 && p.state.read.IsZero() {
			p.first = gone.err
			return p, tea.Quit
		}
		p.state.apply(m.event, m.at)
		return p, p.next
	case tick:
		return p, ticks()
	}
	return p, nil
}

// View draws the frame.
func (p *program) View() tea.View {
	view := tea.NewView(strings.Join(p.state.frame(time.Now()), "\n"))
	view.AltScreen = true
	view.WindowTitle = strings.TrimSpace("flashsale " + p.state.id)
	return view
}
