package settle

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// watchInterval is how often the orders topic is looked at from outside the group.
const watchInterval = time.Second

// watcher looks after what a session does not notice by itself. The ends of the partitions: what a fetch reports stands
// still as soon as settling does, which is when the lag matters. And the topic's id: records of a topic that was
// recreated may reach the old offsets before the next session begins, and would be taken up in their middle.
type watcher struct {
	positions *positions
	books     Books
	lag       *lag
	progress  *progress
}

// run watches until ctx ends, or returns the *OffsetError of a topic that was recreated. While the broker is away
// everything stays as last heard.
func (w *watcher) run(ctx context.Context) error {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		var offset *OffsetError
		if err := await(ctx, func() error { return w.look(ctx) }); errors.As(err, &offset) {
			return offset
		}
	}
}

// look asks for every end, also when one is not told.
func (w *watcher) look(ctx context.Context) error {
	if _, err := w.positions.identify(); err != nil {
		w.progress.failed(err)
		return err
	}
	w.progress.hears()
	claimed, left := w.lag.partitions()
	var failed error
	for _, partition := range append(claimed, left...) {
		end, err := w.positions.client.GetOffset(w.positions.topic, partition, sarama.OffsetNewest)
		if err == nil {
			w.lag.heard(partition, end)
		}
		failed = errors.Join(failed, err)
	}
	if len(left) == 0 {
		return failed
	}
	settled, err := w.books.Positions(ctx) // another process may settle them meanwhile
	for _, at := range settled {
		w.lag.seen(at.Partition, at.Next)
	}
	return errors.Join(failed, err)
}
