package app

import (
	"context"
	"time"

	"flashsale/pulse"
	"flashsale/sale"
)

// newBeat returns the role that tells the other processes once a second what the gateway has counted, and that hears them.
func (r *gatewayRole) newBeat() *pulse.Beat {
	return pulse.NewBeat(pulse.BeatOptions{
		Board: r.redis, Now: r.engine.Now, Log: r.log, Recorder: r.recorder,
		Read: func() sale.Pulse {
			counted := r.gateway.Pulse()
			return sale.Pulse{
				Process: r.holder, Role: sale.ProcessGateway, Version: ThisBuild().Version, Waiting: r.ready(), Gateway: &counted,
			}
		},
	})
}

// newBeat returns the role that tells the other processes once a second what the settling process has done.
func (r *settleRole) newBeat() *pulse.Beat {
	return pulse.NewBeat(pulse.BeatOptions{
		Board: r.redis, Now: r.now, Log: r.log,
		Read: func() sale.Pulse {
			return sale.Pulse{
				Process: r.holder, Role: sale.ProcessSettle, Version: ThisBuild().Version, Waiting: r.ready(),
				Settle: r.counted(),
			}
		},
	})
}

// counted gathers what the roles of the process know.
func (r *settleRole) counted() *sale.SettlePulse {
	p := r.settler.Pulse()
	if outbox, events, known := r.events.Waiting(); known {
		p.OutboxWaiting, p.EventsWaiting = &outbox, &events
	}
	if seconds, known := r.gauges.OldestJournal(); known {
		p.OldestJournalS = &seconds
	}
	return &p
}

// clockLimit bounds a question for Redis's time.
const clockLimit = time.Second

// now returns Redis's time, the zero time while it is not known. Before the relay runs, it asks Redis itself.
func (r *settleRole) now() time.Time {
	if ahead, known := r.relay.ClockAhead(); known {
		return time.Now().Add(-ahead)
	}
	ctx, cancel := context.WithTimeout(context.Background(), clockLimit)
	defer cancel()
	_ = r.clock.Poll(ctx, r.redis) // the readiness check of Redis reports that it is away
	now, _ := r.clock.Now()
	return now
}
