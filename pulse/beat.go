package pulse

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// Every is the time between two pulses of a process.
const Every = time.Second

// Board is where the processes leave their pulses, by name.
type Board interface {
	SetPulse(ctx context.Context, name string, pulse []byte) error
	Pulses(ctx context.Context) (map[string]string, error)
	DropPulses(ctx context.Context, names []string) error
	Doubt() error // why this Redis may not be used, nil when it may
}

// BeatOptions are the parts of a Beat.
type BeatOptions struct {
	Board    Board
	Read     func() sale.Pulse // what the process has counted; Beat sets Started and At
	Now      func() time.Time  // Redis's clock; the zero time before it is known
	Log      *slog.Logger
	Recorder *Recorder // of a gateway: takes the own pulse, and all others; nil: the process only writes
}

// Beat is the role that writes the pulse of this process once a second and, with a Recorder, reads those of all.
type Beat struct {
	BeatOptions
	started time.Time // by Redis's clock
}

// NewBeat returns a Beat.
func NewBeat(o BeatOptions) *Beat { return &Beat{BeatOptions: o} }

// Run writes pulses until ctx ends, and then deletes the process's own.
func (b *Beat) Run(ctx context.Context) {
	loop := role.Loop{
		Name: "pulse", Unit: b.beat, Rest: role.Steady(Every), Limit: limit, Log: b.Log,
		Failing: "the pulse could not be written or read: live screens of other gateways miss this process",
	}
	loop.Run(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	if err := b.leave(last); err != nil {
		b.Log.Warn("the pulse of this process could not be deleted; readers drop it after an hour", "error", err)
	}
}

const (
	limit       = 2 * time.Second // of one unit
	leaveWithin = time.Second
)

// leave deletes the pulse, so that operators do not take a process that ended for one that is away.
func (b *Beat) leave(ctx context.Context) error {
	if !b.ours() {
		return nil
	}
	own := b.Read()
	return b.Board.DropPulses(ctx, []string{own.Name()})
}

// ours reports whether Redis is known to be this engine's.
func (b *Beat) ours() bool { return b.Board.Doubt() == nil }

// beat is one unit of work. The recorder gets the own pulse first: it needs it most while Redis is away.
func (b *Beat) beat(ctx context.Context) error {
	own, known := b.own()
	if b.Recorder != nil {
		b.Recorder.advance(own.At.Time)
		b.Recorder.hear(own)
	}
	if !known || !b.ours() { // the start has not reached Redis, or readiness says whose it is
		return nil
	}
	encoded, err := json.Marshal(own)
	if err != nil {
		return fmt.Errorf("encode the pulse: %w", err)
	}
	if err := b.Board.SetPulse(ctx, own.Name(), encoded); err != nil || b.Recorder == nil {
		return err
	}
	return b.readAll(ctx, own)
}

// own returns this process's pulse, and whether its times are Redis's. Before Redis's clock is known they are this machine's,
// and the pulse is for this process alone.
func (b *Beat) own() (own sale.Pulse, known bool) {
	now := b.Now()
	own, known = b.Read(), !now.IsZero()
	if !known {
		now = time.Now()
	} else if b.started.IsZero() {
		b.started = now
	}
	own.At, own.Started = sale.TimeMillis(now.UnixMilli()), sale.TimeMillis(b.started.UnixMilli())
	if !known {
		own.Started = own.At
	}
	return own, known
}

// readAll gives the recorder the pulses of the other processes, and deletes those that are too old.
func (b *Beat) readAll(ctx context.Context, own sale.Pulse) error {
	all, err := b.Board.Pulses(ctx)
	if err != nil {
		return err
	}
	delete(all, own.Name())
	var old []string
	for name, encoded := range all {
		var p sale.Pulse
		if err := json.Unmarshal([]byte(encoded), &p); err != nil || p.Name() != name {
			old = append(old, name) // nobody writes it this way: it would stay for ever
			continue
		}
		if own.At.Sub(p.At.Time) > forgetAfter {
			old = append(old, name)
			continue
		}
		b.Recorder.hear(p)
	}
	b.Recorder.keepOnly(own.Name(), all)
	return b.Board.DropPulses(ctx, old)
}

// forgetAfter is the age at which a reader deletes the pulse of a process that has died without deleting it.
const forgetAfter = time.Hour
