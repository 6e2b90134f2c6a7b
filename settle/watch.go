package settle

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"flashsale/kafka"
	"flashsale/role"
)

// watchInterval is how often the watcher reads the orders topic without the group.
const watchInterval = time.Second

// watcher checks what a session does not notice by itself. It reads the ends of the partitions, because a fetch reports
// no new end once settling has stopped, which is when the lag matters. It also reads the topic's id, because the
// records of a recreated topic may reach the old offsets before the next session begins, which would then continue in
// their middle.
type watcher struct {
	offsets  *offsetReader
	store    Store
	lag      *lag
	progress *progress
}

// run watches until ctx ends, or returns the *OffsetError of a recreated topic. While the broker is away, the last
// answers count.
func (w *watcher) run(ctx context.Context) error {
	var offset *OffsetError
	recreated := role.Until(ctx, role.Always(watchInterval), func() (done bool) {
		err := kafka.Await(ctx, func() error { return w.look(ctx) })
		return errors.As(err, &offset)
	})
	if recreated {
		return offset
	}
	return nil
}

// look reads every end, also when a broker returns an error for one.
func (w *watcher) look(ctx context.Context) error {
	if _, err := w.offsets.identify(); err != nil {
		w.progress.failed(err)
		return err
	}
	w.progress.kafkaAnswered()
	claimed, left := w.lag.claims()
	var failed error
	for _, partition := range append(claimed, left...) {
		end, err := w.offsets.client.GetOffset(w.offsets.topic, partition, sarama.OffsetNewest)
		if err == nil {
			w.lag.noteEnd(partition, end)
		}
		failed = errors.Join(failed, err)
	}
	if len(left) == 0 {
		return failed
	}
	settled, err := w.store.Positions(ctx) // another process may settle them meanwhile
	for _, at := range settled {
		w.lag.noteSettled(at.Partition, at.Next)
	}
	return errors.Join(failed, err)
}
