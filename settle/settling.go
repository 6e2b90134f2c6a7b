package settle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flashsale/role"
	"flashsale/sale"
	"flashsale/tracing"
)

// attemptTimeout bounds one transaction, so that a connection that hangs becomes an error and the transaction is
// repeated.
const attemptTimeout = 30 * time.Second

// lostFor is how long the database has to lack what it had settled before that counts as lost: another node of a cluster may
// answer, which has not applied the newest yet.
const lostFor = time.Second

// record is a delivery; when fault is set, it could not be decoded.
type record struct {
	sale.Delivery
	fault error
}

// settling settles each record or moves it to the dead letters; it skips none.
type settling struct {
	store       Store
	deadLetters deadLetterPublisher
	metrics     *metrics
	progress    *progress
	tracer      *tracing.Tracer // nil: no spans
	log         *slog.Logger
}

// settle returns nil when every record is settled or in the dead letters. It returns an error that is sale.ErrBehind
// when the database lacks what the records depend on; repeating does not help then. One that is sale.ErrLostTail means
// that the records before these have to be settled again first. Any other error means that ctx has ended first; some
// records may then have reached their end, and the next owner of the partition finds them as duplicates.
//
// A record that cannot be decoded goes to the dead letters first. It then moves the partition's position in its turn
// among the others, so that the position never passes a record that has not reached its end.
func (s *settling) settle(ctx context.Context, records []record) error {
	ctx, spans := s.beginSpans(ctx, records)
	err := s.settleAll(ctx, records)
	spans.end(err)
	return err
}

func (s *settling) settleAll(ctx context.Context, records []record) error {
	deliveries := make([]sale.Delivery, 0, len(records))
	for i := range records {
		delivery := records[i].Delivery
		if records[i].fault != nil {
			if err := s.moveToDeadLetters(ctx, &delivery, sale.PoisonDecode, records[i].fault); err != nil {
				return err
			}
			delivery = passed(&delivery)
		}
		deliveries = append(deliveries, delivery)
	}
	return s.bisect(ctx, deliveries)
}

// passed is a delivery that moves the position past d and does nothing else.
func passed(d *sale.Delivery) sale.Delivery {
	return sale.Delivery{TopicID: d.TopicID, Partition: d.Partition, Offset: d.Offset, Follows: d.Follows}
}

// bisect settles the deliveries in as few transactions as it can and moves those that no transaction accepts to the
// dead letters. It keeps the order of the partition: nothing after a fence is committed before everything ahead of it.
func (s *settling) bisect(ctx context.Context, deliveries []sale.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	poison, err := s.transact(ctx, deliveries)
	switch {
	case err != nil || poison == nil:
		return err
	case len(deliveries) == 1:
		if err := s.moveToDeadLetters(ctx, &deliveries[0], poison.Reason, cmp.Or(poison.Err, error(poison))); err != nil {
			return err
		}
		_, err := s.transact(ctx, []sale.Delivery{passed(&deliveries[0])})
		return err
	}
	parts := [][]sale.Delivery{deliveries[:len(deliveries)/2], deliveries[len(deliveries)/2:]}
	if i := poison.Index; i >= 0 && i < len(deliveries) {
		parts = [][]sale.Delivery{deliveries[:i], deliveries[i : i+1], deliveries[i+1:]}
	}
	for _, part := range parts {
		if err := s.bisect(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// transact settles the deliveries together, and repeats until it succeeds or the data is at fault.
func (s *settling) transact(ctx context.Context, deliveries []sale.Delivery) (poison *sale.PoisonError, err error) {
	err = s.persist(ctx, "settle", func(ctx context.Context) error {
		poison = nil
		done, err := s.store.Settle(ctx, deliveries)
		if errors.As(err, &poison) {
			return nil
		}
		if err == nil {
			s.report(&done)
			s.tell(deliveries)
			return nil
		}
		return err
	})
	return poison, err
}

func (s *settling) report(done *sale.Settlement) {
	s.metrics.rows.Add(float64(done.Rows))
	for _, bucket := range done.Closed {
		s.log.Error("redis and the database disagree: the bucket is closed and will be rebuilt", "bucket", bucket.String())
	}
}

// persist repeats do, with growing pauses, until it returns nil or a permanent error. When ctx has ended, a running
// attempt may take up to drainTimeout; no new attempt begins, and persist returns ctx's error.
func (s *settling) persist(ctx context.Context, what string, do func(context.Context) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var err error
	var lost time.Time // when the database first said that it has lost its tail
	failures := 0
	done := role.Until(ctx, role.Backoff, func() bool {
		err = once(ctx, do)
		switch {
		case err == nil || final(err):
			return true
		case errors.Is(err, sale.ErrLostTail) && lost.IsZero():
			lost = time.Now()
		case errors.Is(err, sale.ErrLostTail) && time.Since(lost) > lostFor:
			return true
		}
		s.metrics.retries.Inc()
		s.progress.failed(fmt.Errorf("%s: %w", what, err))
		if failures++; role.Noteworthy(failures) {
			s.log.Warn("attempt failed and will be repeated", "attempt", what, "try", failures, "error", err)
		}
		return false
	})
	if !done {
		return ctx.Err()
	}
	return err
}

func once(ctx context.Context, do func(context.Context) error) error {
	work, cancel := role.Linger(ctx, drainTimeout)
	defer cancel()
	work, stop := context.WithTimeout(work, attemptTimeout)
	defer stop()
	return do(work)
}
