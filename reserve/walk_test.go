package reserve

import (
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/harness"
)

// maxCalls bounds the calls of ours from Engine.Reserve to Redis: with those of the gateway, whose own test bounds them, a
// reader walks a purchase from the socket to Redis in eight calls at most.
const maxCalls = 5

// ourCall is a call of the engine in the dump of a goroutine.
var ourCall = regexp.MustCompile(`(?m)^flashsale/(reserve|scripts)\.([^\n(]*\(\*?\w+\)\.\w+)\(`)

// callsOf returns the calls of ours, the innermost first, of the goroutine that is inside a call; none when there is none.
func callsOf(inside string) (calls []string) {
	dump := make([]byte, 1<<20)
	dump = dump[:runtime.Stack(dump, true)]
	for goroutine := range strings.SplitSeq(string(dump), "\n\n") {
		if !strings.Contains(goroutine, inside+"(") {
			continue
		}
		for _, found := range ourCall.FindAllStringSubmatch(goroutine, -1) {
			calls = append(calls, found[1]+"."+found[2])
		}
		return calls
	}
	return nil
}

// TestWalkFromTheEngineToRedis: while Redis keeps a call waiting, the buyer's goroutine waits in Engine.Reserve, which has put
// the purchase into its queue, and the worker's goroutine is in the call.
func TestWalkFromTheEngineToRedis(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, scripts.Options{Namespace: namespace(t), Addrs: []string{server.Addr}}, nil)
	b := w.stock("phone", 100, 1)
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "before").Outcome)
	server.Pause()
	answered := make(chan sale.Answer, 1)
	go func() { answered <- w.buy(b, "anna") }()
	var worker []string
	eventually(t, func() bool { worker = callsOf("flashsale/scripts.(*Redis).Reserve"); return worker != nil }, "a call is sent")
	buyer := callsOf("flashsale/reserve.(*Engine).Reserve")
	server.Continue()
	<-answered
	require.Equal(t, []string{"scripts.(*Redis).Reserve", "reserve.(*batchWorker).callScript", "reserve.(*batchWorker).run"},
		worker)
	require.Equal(t, "reserve.(*Engine).Reserve", buyer[0], "put has returned")
	require.LessOrEqual(t, len(worker)+1+len([]string{"bucketQueue.put"}), maxCalls)
}
