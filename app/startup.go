package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"flashsale/kafka"
	"flashsale/reserve"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/settle"
)

// Names of the checks in /readyz.
const (
	checkDatabase = "database"
	checkRedis    = "redis"
	checkEngine   = "engine"
	checkTopics   = "topics"
	checkKafka    = "kafka"
	checkNode     = "node_id"
)

// startup is the readiness checks that a process still waits for; /readyz lists them. A check that has passed does not
// return, even when its store goes away later.
type startup struct {
	mu      sync.Mutex
	waiting map[string]string
}

const (
	startupRetry = 200 * time.Millisecond // between two tries
	startupTry   = 5 * time.Second        // limit of one try
)

func newStartup(names ...string) *startup {
	s := &startup{waiting: map[string]string{}}
	for _, name := range names {
		s.waiting[name] = errNotYet.Error()
	}
	return s
}

// missing returns the checks that have not passed, by name, with their last findings.
func (s *startup) missing() map[string]string {
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

// wait repeats a check until it passes or ctx ends. It returns an error only for a database of another schema, because
// waiting does not change the schema. It logs a finding when the finding changes, but not that of a first try that found nothing
// out yet.
func (s *startup) wait(
	ctx context.Context, log *slog.Logger, name string, check func(context.Context) error,
) (fault error) {
	said, tries := "", 0
	role.Until(ctx, role.Always(startupRetry), func() (done bool) {
		try, cancel := context.WithTimeout(ctx, startupTry)
		defer cancel()
		tries++
		err := check(try)
		switch {
		case err == nil:
			s.note(name, "")
			return true
		case ctx.Err() != nil: // the process was told to end, so the finding no longer matters
			return true
		case errors.Is(err, sale.ErrSchema):
			fault = err
			return true
		case tries == 1 && (errors.Is(err, errNotYet) || errors.Is(err, reserve.ErrNoLease)):
		case err.Error() != said:
			said = err.Error()
			log.Warn("waiting", "for", name, "error", said)
		}
		s.note(name, err.Error())
		return false
	})
	return fault
}

// errNotYet is the finding of a check that has not run yet or has no reason.
var errNotYet = errors.New("not reached yet")

func yet(ready func() bool) func(context.Context) error {
	return func(context.Context) error {
		if ready() {
			return nil
		}
		return errNotYet
	}
}

// awaitStores waits for all stores that a process needs at its start at the same time, so that /readyz names exactly
// those that are away. Its errors are those of wait.
func (s *site) awaitStores(
	ctx context.Context, started *startup, producer *kafka.Producer, topics func(context.Context) error,
) error {
	group, waiting := errgroup.WithContext(ctx)
	for name, check := range map[string]func(context.Context) error{
		checkDatabase: s.db.CheckSchema,
		checkRedis:    s.redis.Ping,
		checkEngine:   s.identity.Check,
		checkTopics:   topics,
		checkKafka:    yet(producer.Ready),
	} {
		group.Go(func() error { return started.wait(waiting, s.log.With(s.place(name)...), name, check) })
	}
	err := group.Wait()
	if place := s.settings.Database(); errors.Is(err, sale.ErrSchema) && place != "" {
		err = fmt.Errorf("database %s: %w", place, err)
	}
	return err
}

const askKafka = "is a broker running there (kafka.brokers), and does it take the settings kafka.tls... and kafka.sasl_...?"

// place returns what the log adds to a check that waits: where the store is, and what to look at there.
func (s *site) place(check string) []any {
	database := s.settings.Database()
	if database == "" {
		return nil // embedded engines
	}
	at, ask := "", ""
	switch check {
	case checkDatabase:
		at, ask = database, "is the database running there, and does it let the account of mysql.dsn in, "+
			"with mysql.tls_cert_file if it asks for one?"
	case checkRedis:
		at, ask = s.settings.RedisPlace(),
			"is Redis running there (redis.addrs), and does it take redis.username, redis.password and the settings redis.tls...?"
	case checkKafka:
		at, ask = s.settings.KafkaPlace(), askKafka
	case checkTopics: // a gateway compares the topics with what the database has settled
		at, ask = s.settings.KafkaPlace()+"; "+database, askKafka+" Does the account of mysql.dsn read its schema?"
	case checkEngine:
		at, ask = s.settings.RedisPlace()+"; "+database,
			"are Redis and the database running there, and does the account of mysql.dsn read its schema?"
	}
	if at == "" {
		return nil
	}
	return []any{"at", at, "ask", ask}
}

// topics checks that the topics exist with the number of partitions in the settings.
func (s *site) topics(ctx context.Context) error {
	return kafka.CheckTopics(ctx, KafkaOptions(s.settings), s.settings.Namespace, int32(s.settings.Kafka.Partitions))
}

// knownTopics also checks that the database has settled from these topics: the gateway must not publish orders to a
// topic that was created anew. The settling role makes this check and others itself.
func (s *site) knownTopics(ctx context.Context) error {
	if err := s.topics(ctx); err != nil {
		return err
	}
	return settle.CheckPositions(ctx, KafkaOptions(s.settings), s.settings.Namespace, s.db)
}

// waiting returns what a process waits for: its remaining start checks, and a Redis that belongs to another database.
func (s *site) waiting(started *startup) func() map[string]string {
	return func() map[string]string {
		waiting := started.missing()
		if doubt := s.identity.Doubt(); doubt != nil && waiting[checkEngine] == "" {
			waiting[checkEngine] = doubt.Error()
		}
		return waiting
	}
}
