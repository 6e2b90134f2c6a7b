package sim

import (
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"flashsale/scripts"
)

// trace records a sale step by step.
type trace struct {
	mu    sync.Mutex
	lines []line
}

type line struct {
	at        time.Duration
	who, what string
}

func (t *trace) add(who, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line{virtualNow(), who, what})
}

// command is a command that a server has executed, and its reply.
func (t *trace) command(who string, args []string, reply any) {
	if len(args) > 1 && strings.HasPrefix(args[0], "EVAL") {
		args = append([]string{scriptName(args[1])}, args[2:]...)
	}
	t.add(who, fmt.Sprintf("redis %.300q -> %.300q", args, fmt.Sprint(reply)))
}

// scriptName names a script by its digest or source.
func scriptName(text string) string {
	for _, s := range scripts.All() {
		if text == s.SHA || text == s.Source {
			return s.Name
		}
	}
	return "another script"
}

// note records the fate of a call in the network.
func (t *trace) note(p *process, to *place, what string, fate fate) {
	if quiet[what] && fate == arrives {
		return
	}
	if fate != arrives {
		what += fateNames[fate]
	}
	t.add(p.name, to.name+" "+what)
}

// quiet lists calls that poll all the time.
var quiet = map[string]bool{"changes": true, "outbox": true, "expire": true, "HMGET": true, "SCRIPT": true, "TIME": true,
	"fetch": true, "fences-passed": true}

var fateNames = map[fate]string{
	lostReply: " (the answer is lost)", silence: " (no answer)", late: " (late)", slow: " (slow)",
}

func (l line) String() string { return fmt.Sprintf("%12.6f %-10s %s", l.at.Seconds(), l.who, l.what) }

// hash is equal for runs with the same steps at the same moments.
func (t *trace) hash() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := fnv.New64a()
	for _, l := range t.lines {
		fmt.Fprintf(h, "%d %s %s\n", l.at, l.who, l.what)
	}
	return h.Sum64()
}

func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	for _, l := range t.lines {
		l.at -= t.lines[0].at
		out.WriteString(l.String() + "\n")
	}
	return out.String()
}
