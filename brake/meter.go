package brake

import (
	"time"

	"flashsale/sale"
)

// window is the time over which the meter measures what drains. Settlement commits in bursts, a transaction a partition, so a
// shorter window makes the rate jump; a longer one counts the calm before a rush.
const window = 3 * time.Second

// sample is what one unit of work has read. A part that could not be read is nil or negative.
type sample struct {
	at      time.Time // on the monotonic clock
	headway map[int32]sale.Headway
	ends    map[int32]int64
	events  int64
	journal int64
}

func (s *sample) hasHeadway() bool { return s.headway != nil }
func (s *sample) hasEnds() bool    { return s.ends != nil }
func (s *sample) hasEvents() bool  { return s.events >= 0 }

// meter turns samples into levels.
type meter struct {
	samples []sample // those before the present one, as far as the window goes back, oldest first
	// perRecord is the mean number of orders in the records that settled last; 0 before the first sample. Records that wait
	// are counted and not read, so their orders are records times perRecord.
	perRecord float64
}

// add takes a sample and returns the levels.
func (m *meter) add(s sample) levels {
	for len(m.samples) > 0 && (s.at.Sub(m.samples[0].at) > 2*window ||
		len(m.samples) > 1 && s.at.Sub(m.samples[1].at) >= window) {
		m.samples = m.samples[1:]
	}
	m.learn(&s)
	settled := m.perSecond(&s, (*sample).hasHeadway, ordersBetween)
	produced := m.perSecond(&s, (*sample).hasEnds, producedBetween)
	grown := m.perSecond(&s, (*sample).hasEvents, func(then, now *sample) float64 { return float64(now.events - then.events) })
	m.samples = append(m.samples, s)

	rows := level{known: s.hasHeadway() && s.hasEnds(), waiting: int64(waitingRecords(&s) * m.perRecord), drain: unknown}
	if settled.known {
		rows.drain = settled.value
	}
	events := level{known: s.hasEvents(), waiting: s.events, drain: unknown}
	if settled.known && grown.known { // the events of the settled orders less those that stayed: what was left for purchases
		events.drain = max(0, settled.value-grown.value)
	}
	journal := level{known: s.journal >= 0, waiting: s.journal, drain: unknown}
	switch {
	case !s.hasEnds():
		journal.drain = 0 // Kafka does not answer, and takes nothing
	case produced.known:
		journal.drain = produced.value * m.perRecord
	}
	return levels{rows, events, journal}
}

// unknown is a drain that is not known.
const unknown = -1

// rate is a count a second, where it is known.
type rate struct {
	known bool
	value float64
}

// perSecond returns a count between the oldest sample that has a part and the present one, for each second in between.
func (m *meter) perSecond(now *sample, has func(*sample) bool, count func(then, now *sample) float64) rate {
	if !has(now) {
		return rate{}
	}
	for i := range m.samples {
		if then := &m.samples[i]; has(then) && now.at.After(then.at) {
			return rate{true, count(then, now) / now.at.Sub(then.at).Seconds()}
		}
	}
	return rate{}
}

// learn brings perRecord up to date. Where nothing settled in the window the last number stays; before the first, the mean of
// all that has settled counts, and 1 where nothing has.
func (m *meter) learn(s *sample) {
	for i := range m.samples {
		then := &m.samples[i]
		if !then.hasHeadway() || !s.hasHeadway() {
			continue
		}
		if orders, records := ordersBetween(then, s), recordsBetween(then, s); orders > 0 && records > 0 {
			m.perRecord = max(1, orders/records)
			return
		}
		break
	}
	if m.perRecord == 0 && s.hasHeadway() {
		nothing := &sample{}
		m.perRecord = max(1, ordersBetween(nothing, s)/max(1, recordsBetween(nothing, s)))
	}
}

// waitingRecords returns the records after the positions of the database. A partition without a position has settled nothing.
func waitingRecords(s *sample) (records float64) {
	for partition, end := range s.ends {
		records += float64(max(0, end-s.headway[partition].Next))
	}
	return records
}

func ordersBetween(then, now *sample) (orders float64) {
	for partition, h := range now.headway {
		orders += float64(max(0, h.Orders-then.headway[partition].Orders))
	}
	return orders
}

func recordsBetween(then, now *sample) (records float64) {
	for partition, h := range now.headway {
		records += float64(max(0, h.Next-then.headway[partition].Next))
	}
	return records
}

func producedBetween(then, now *sample) (records float64) {
	for partition, end := range now.ends {
		records += float64(max(0, end-then.ends[partition]))
	}
	return records
}
