package reserve

import (
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// ourCall is a call of the engine in the dump of a goroutine.
var ourCall = regexp.MustCompile(`(?m)^flashsale/(reserve|scripts)\.([^\n(]*\(\*?\w+\)\.\w+)\(`)

// callsIn returns the calls of the engine in a dump, the innermost first.
func callsIn(goroutine string) (calls []string) {
	for _, found := range ourCall.FindAllStringSubmatch(goroutine, -1) {
		calls = append(calls, found[1]+"."+found[2])
	}
	return calls
}

// callsInside returns the calls of the goroutine that is inside a call; none when there is none.
func callsInside(call string) []string {
	dump := make([]byte, 1<<20)
	dump = dump[:runtime.Stack(dump, true)]
	for goroutine := range strings.SplitSeq(string(dump), "\n\n") {
		if strings.Contains(goroutine, call+"(") {
			return callsIn(goroutine)
		}
	}
	return nil
}

// TestWalkFromTheEngineToRedis: from Engine.Reserve to Redis a purchase makes five calls of the engine, two on the buyer's
// goroutine, up to the queue that starts a worker, and three on the worker's. With those of the gateway, whose own test bounds
// them, a reader walks a purchase from the socket to Redis in eight calls.
func TestWalkFromTheEngineToRedis(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 100, 1)
	var buyer []string
	fresh := w.engine.workers.New
	w.engine.workers.New = func() any { // called where the first worker starts
		dump := make([]byte, 1<<16)
		buyer = callsIn(string(dump[:runtime.Stack(dump, false)]))
		return fresh()
	}
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "before").Outcome)
	server.Pause()
	answered := make(chan sale.Answer, 1)
	go func() { answered <- w.Buy(b, "anna") }()
	var worker []string
	fakes.Eventually(t, func() bool {
		worker = callsInside("flashsale/scripts.(*Redis).Reserve")
		return worker != nil
	}, "a call is sent")
	server.Continue()
	<-answered
	require.Equal(t, []string{
		"reserve.(*bucketQueue).startWorker", "reserve.(*bucketQueue).put", "reserve.(*Engine).Reserve",
	}, buyer)
	require.Equal(t, []string{
		"scripts.(*Redis).Reserve", "reserve.(*batchWorker).callScript", "reserve.(*batchWorker).run",
	}, worker)
}
