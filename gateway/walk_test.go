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
	maxCalls = 4
	maxFiles = 4
)

// walkedStock notes which calls of this package lead to Reserve.
type walkedStock struct {
	Stock
	calls []string // the outermost first
	files map[string]bool
}

func (s *walkedStock) Reserve(p sale.Purchase) sale.Answer {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])]) // above this method
	for {
		frame, more := frames.Next()
		if name, ours := strings.CutPrefix(frame.Function, "flashsale/gateway."); ours {
			s.calls = append([]string{name}, s.calls...)
			s.files[filepath.Base(frame.File)] = true
		}
		if !more {
			return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1, Quantity: p.Quantity, CreatedAt: noon}
		}
	}
}

// TestWalkFromTheSocketToTheStock: a purchase over a real connection reaches Reserve in few calls of ours in few files.
func TestWalkFromTheSocketToTheStock(t *testing.T) {
	s := newScene(t).open(autumn())
	walked := &walkedStock{Stock: s.stock, files: map[string]bool{}}
	s.gateway.stock = walked
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.Contains(t, walked.calls, "(*Gateway).purchase")
	require.LessOrEqual(t, len(walked.calls), maxCalls, "calls: %v", walked.calls)
	require.LessOrEqual(t, len(walked.files), maxFiles, "files: %v", walked.files)
	t.Log(walked.calls, walked.files)
}
