package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"flashsale/reserve"
	"flashsale/sale"
	"flashsale/settle"
)

// Names of the checks that /readyz shows.
const (
	checkDatabase = "database"
	checkRedis    = "redis"
	checkEngine   = "engine"
	checkTopics   = "topics"
	checkKafka    = "kafka"
	checkNode     = "node_id"
)

// startup is what a process still waits for, shown by /readyz. A store that goes away later does not come back here.
type startup struct {
	mu      sync.Mutex
	waiting map[string]string
}

const startupRetry = 200 * time.Millisecond

func newStartup(names ...string) *startup {
	s := &startup{waiting: map[string]string{}}
	for _, name := range names {
		s.waiting[name] = "not reached yet"
	}
	return s
}

// Ready returns the checks that have not passed, by name, with what they found last.
func (s *startup) Ready() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.waiting)
}

func (s *startup) note(name, found string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found == "" {
		delete(s.waiting, name)
		return
	}
	s.waiting[name] = found
}

// wait repeats a check until it passes or ctx ends. A database of another schema is no matter of time: it ends the wait.
func (s *startup) wait(ctx context.Context, log *slog.Logger, name string, check func(context.Context) error) error {
	said := ""
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := check(try)
		cancel()
		switch {
		case err == nil:
			s.note(name, "")
			return nil
		case ctx.Err() != nil:
			return nil //nolint:nilerr // asked to end while waiting: what the check found does not matter any more
		case errors.Is(err, sale.ErrSchema):
			return err
		}
		if err.Error() != said {
			said = err.Error()
			log.Warn("waiting", "for", name, "error", said)
		}
		s.note(name, said)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(startupRetry):
		}
	}
}

// errNotYet is the finding of a check that has nothing better to say.
var errNotYet = errors.New("not reached yet")

func yet(ready func() bool) func(context.Context) error {
	return func(context.Context) error {
		if ready() {
			return nil
		}
		return errNotYet
	}
}

// awaitStores waits for everything a process needs at its start, for all of it at once, so that /readyz names exactly what
// is away. It returns an error only where waiting cannot help.
func (s *site) awaitStores(ctx context.Context, started *startup, producer *reserve.Producer, topics func(context.Context) error) error {
	group, waiting := errgroup.WithContext(ctx)
	for name, check := range map[string]func(context.Context) error{
		checkDatabase: s.db.CheckSchema,
		checkRedis:    s.redis.Ping,
		checkEngine:   s.identity.Check,
		checkTopics:   topics,
		checkKafka:    yet(producer.Ready),
	} {
		group.Go(func() error { return started.wait(waiting, s.log, name, check) })
	}
	return group.Wait()
}

func (s *site) topics(ctx context.Context) error {
	return settle.CheckTopics(ctx, KafkaOptions(s.settings), s.settings.Namespace, int32(s.settings.Kafka.Partitions))
}

// knownTopics is for a process that only produces: a topic that is another one than the database knows must get no orders.
// A process that settles finds that out for itself, and more, and ends.
func (s *site) knownTopics(ctx context.Context) error {
	if err := s.topics(ctx); err != nil {
		return err
	}
	return settle.CheckPositions(ctx, KafkaOptions(s.settings), s.settings.Namespace, s.db)
}

// waiting returns what a process waits for: what its start still needs, and a Redis that turned out to be somebody else's.
func (s *site) waiting(started *startup) func() map[string]string {
	return func() map[string]string {
		waiting := started.Ready()
		if doubt := s.identity.Doubt(); doubt != nil && waiting[checkEngine] == "" {
			waiting[checkEngine] = doubt.Error()
		}
		return waiting
	}
}
