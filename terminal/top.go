package terminal

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
)

// Top shows the live screen until it is quit or its context ends: on a terminal a screen with keys, else one block of lines a second.
type Top struct {
	Source  Source
	Sale    string // empty: the list of all sales
	Search  string
	Sort    string   // one of Sorts
	Once    bool     // one block of lines, also on a terminal
	Environ []string // of TERM and NO_COLOR

	In  io.Reader
	Out io.Writer
}

// Run shows it. It returns the error of the first stream when that brings no numbers; a stream that ends later begins again.
func (t Top) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if t.Once || !t.onTerminal() {
		return t.lines(ctx)
	}
	return t.screen(ctx)
}

// onTerminal reports whether a person can read the screen and type.
func (t *Top) onTerminal() bool {
	return isTerminal(t.In) && isTerminal(t.Out) && t.env("TERM") != "dumb"
}

func isTerminal(stream any) bool {
	file, is := stream.(*os.File)
	return is && term.IsTerminal(file.Fd())
}

func (t *Top) env(name string) (value string) {
	for _, pair := range t.Environ {
		if of, v, _ := strings.Cut(pair, "="); of == name {
			value = v
		}
	}
	return value
}

// start begins the screen's state.
func (t *Top) start() *screen {
	s := &screen{}
	s.show(t.Sale)
	if s.search = t.Search; t.Sale != "" {
		s.query.Search, s.search = t.Search, ""
	}
	if slices.Contains(Sorts(), t.Sort) {
		s.query.Sort = t.Sort
	}
	return s
}

// blockEvery is the time between two blocks of lines.
const blockEvery = time.Second

// lines writes a block of lines a second.
func (t *Top) lines(ctx context.Context) error {
	s, updates := t.start(), make(chan any)
	go watch(ctx, t.Source, s.id, s.query, func(event any) {
		select {
		case updates <- event:
		case <-ctx.Done():
		}
	})
	ticks := time.NewTicker(blockEvery)
	defer ticks.Stop()
	for {
		select {
		case event := <-updates:
			first := s.read.IsZero()
			s.apply(event, time.Now())
			if gone, is := event.(lost); is && first {
				return gone.err
			}
			if !first || s.read.IsZero() {
				continue
			}
			if t.Once {
				return t.block(s)
			}
			if err := t.block(s); err != nil {
				return err
			}
			ticks.Reset(blockEvery)
		case <-ticks.C:
			if s.read.IsZero() {
				continue
			}
			if err := t.block(s); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *Top) block(s *screen) error {
	text := strings.Join(s.frame(time.Now()), "\n") + "\n"
	if !t.Once {
		text += "\n"
	}
	if _, err := io.WriteString(t.Out, text); err != nil {
		return fmt.Errorf("write the numbers: %w", err)
	}
	return nil
}
