package sim

import (
	"context"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// process is one process of the engine, from its start to its death. A message that it sent may arrive after its death.
// Every later call of its goroutines fails, so that they end.
type process struct {
	world  *world
	name   string // role and number
	chance *chance
	ctx    context.Context
	kill   context.CancelFunc
	died   chan struct{}
	end    func() // ends the parts that take no context

	mu     sync.Mutex
	isDead bool
	unsent map[string]bool // records that its producer has not yet written to the log
	frozen time.Time       // stopped until this moment
}

func (w *world) newProcess(name string) *process {
	p := &process{world: w, name: name, died: make(chan struct{}), unsent: map[string]bool{}}
	w.mu.Lock()
	w.lives[name]++
	life := w.lives[name]
	w.mu.Unlock()
	p.chance = newChance(w.seed, name+"/"+string(rune('a'+life)))
	p.ctx, p.kill = context.WithCancel(context.Background())
	return p
}

func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isDead
}

// crash ends the process at once. It reports false when it was dead already.
func (p *process) crash() bool {
	p.mu.Lock()
	if p.isDead {
		p.mu.Unlock()
		return false
	}
	p.isDead = true
	close(p.died)
	p.mu.Unlock()
	p.kill()
	if p.end != nil {
		go p.end()
	}
	return true
}

// waiting notes that a record of this process begins or ceases to wait for Kafka.
func (p *process) waiting(record []byte, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.unsent[string(record)] = true
	} else {
		delete(p.unsent, string(record))
	}
}

// publishes reports whether records of this process wait for Kafka.
func (p *process) publishes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.isDead && len(p.unsent) > 0
}

// freeze stops the process for a while, as SIGSTOP does: its timers keep running, its next call waits.
func (p *process) freeze(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.frozen) {
		p.frozen = until
	}
}

// thaw waits while the process is stopped. A call whose time is over when it wakes is sent all the same half of the time:
// a process may be stopped between looking at the clock and writing to the socket.
func (p *process) thaw(ctx context.Context) error {
	p.mu.Lock()
	rest := time.Until(p.frozen)
	p.mu.Unlock()
	if rest > 0 {
		if hold(p.ctx, rest) != nil {
			return errDead
		}
		if ctx.Err() != nil && p.chance.one(2) {
			return ctx.Err()
		}
		return nil
	}
	if p.dead() {
		return errDead
	}
	return ctx.Err()
}

// wire is a process's connection to Redis.
type wire struct{ *process }

// redis sends commands to a server, and fails where another serves by now: the connection ended with it.
func (w *wire) redis(ctx context.Context, server *redisServer, sent [][]string) ([]any, error) {
	if server != w.world.cache.active() {
		return nil, errReset
	}
	replies := make([]any, 0, len(sent))
	cut := len(sent)
	if len(sent) > 1 && w.world.noisy(w.chance) {
		cut = w.chance.below(len(sent) + 1) // the connection breaks in the middle of a pipeline
	}
	err := w.call(ctx, w.world.cache.place, sent[0][0], func() {
		for _, args := range sent[:cut] {
			replies = append(replies, server.execute(args))
			if *telling {
				w.world.trace.command(w.name, args, replies[len(replies)-1])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return replies, errReset
}

func (p *process) redisClient() rueidis.Client { return &redisClient{wire: &wire{p}} }
