package terminal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/term"

	"flashsale/role"
)

// Top shows the live screen until it is quit or its context ends: on a terminal a screen with keys, else blocks of
// lines.
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

// lines writes a block of lines a second, from the first numbers on.
func (t *Top) lines(ctx context.Context) (err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	s := t.start()
	var mu sync.Mutex // of s
	first := make(chan error, 1)
	go watch(ctx, t.Source, s.id, s.query, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		before := s.read.IsZero()
		s.apply(event, time.Now())
		if gone, is := event.(lost); before && (is || !s.read.IsZero()) {
			select {
			case first <- gone.err:
			default: // it was told before
			}
		}
	})
	select {
	case err := <-first:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return nil
	}
	blocks := role.Loop{
		Name: "live lines", Log: slog.New(slog.DiscardHandler), Rest: role.Steady(blockEvery), // the command returns the failure
		Unit: func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			if err = t.block(s); err != nil || t.Once {
				end()
			}
			return err
		},
	}
	blocks.Run(ctx)
	return err
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
