package gateway

import (
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Bounds of the walk of a purchase from the socket to the Stock: a reader follows it without a map.
const (
	maxCalls = 3
	maxFiles = 3
)

// walk is which calls of this package lead to Reserve, the outermost first, and the files that they are in.
type walk struct {
	calls []string
	files map[string]bool
}

// walkedStock sends the walk of every purchase.
type walkedStock struct {
	Stock
	walks chan walk
}

func (s *walkedStock) Reserve(p sale.Purchase) sale.Answer {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])]) // above this method
	walked := walk{files: map[string]bool{}}
	for {
		frame, more := frames.Next()
		if name, ours := strings.CutPrefix(frame.Function, "flashsale/gateway."); ours {
			walked.calls = append([]string{name}, walked.calls...)
			walked.files[filepath.Base(frame.File)] = true
		}
		if !more {
			s.walks <- walked
			return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1, CreatedAt: noon}
		}
	}
}

// TestWalkFromTheSocketToTheStock: a purchase over a real connection reaches Reserve in few calls of ours in few files.
func TestWalkFromTheSocketToTheStock(t *testing.T) {
	s := newScene(t).open(autumn())
	stock := &walkedStock{Stock: s.stock, walks: make(chan walk, 1)}
	s.gateway.stock = stock
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	walked := <-stock.walks
	require.Contains(t, walked.calls, "(*Gateway).purchase")
	require.LessOrEqual(t, len(walked.calls), maxCalls, "calls: %v", walked.calls)
	require.LessOrEqual(t, len(walked.files), maxFiles, "files: %v", walked.files)
}
