package brake

import (
	"time"

	"flashsale/sale"
)

// window is the time over which the meter measures what drains. Settlement commits in bursts, a transaction a partition, so a
// shorter window makes the rate jump; a longer one counts the calm before a rush.
const window = 3 * time.Second

// sample is what is known at one unit of work. Its parts have times of their own: one may be of an earlier unit.
type sample struct {
	at      time.Time // on the monotonic clock
	headway timed[map[int32]sale.Headway]
	ends    timed[map[int32]int64]
	events  timed[int64]
	journal timed[int64]
}

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
	settled := perSecond(m, s.headway, func(s *sample) timed[map[int32]sale.Headway] { return s.headway }, ordersBetween)
	produced := perSecond(m, s.ends, func(s *sample) timed[map[int32]int64] { return s.ends }, producedBetween)
	grown := perSecond(m, s.events, func(s *sample) timed[int64] { return s.events }, grownBetween)
	m.samples = append(m.samples, s)

	rows := level{known: s.headway.known && s.ends.known, waiting: m.waiting(&s), drain: unknown}
	if settled.known {
		rows.drain = settled.value
	}
	events := level{known: s.events.known, waiting: s.events.value, drain: unknown}
	if settled.known && grown.known { // the events of the settled orders less those that stayed: what was left for purchases
		events.drain = max(0, settled.value-grown.value)
	}
	journal := level{known: s.journal.known, waiting: s.journal.value, drain: unknown}
	switch {
	case !s.ends.known || s.at.Sub(s.ends.at) > silentAfter:
		journal.drain = 0 // Kafka does not answer, and takes nothing
	case produced.known:
		journal.drain = produced.value * m.perRecord
	}
	return levels{rows, events, journal}
}

// silentAfter is how long Kafka may leave a question for its ends unanswered; it is asked once a second.
const silentAfter = 2 * time.Second

// unknown is a drain that is not known.
const unknown = -1

// rate is a count a second, where it is known.
type rate struct {
	known bool
	value float64
}

// perSecond returns a count between the oldest sample that has a part and the present part, for each second in between.
func perSecond[T any](m *meter, now timed[T], part func(*sample) timed[T], between func(then, now T) float64) rate {
	if !now.known {
		return rate{}
	}
	for i := range m.samples {
		if then := part(&m.samples[i]); then.known && now.at.After(then.at) {
			return rate{true, between(then.value, now.value) / now.at.Sub(then.at).Seconds()}
		}
	}
	return rate{}
}

// learn brings perRecord up to date. Where nothing settled in the window the last number stays; before the first, the mean of
// all that has settled counts, and 1 where nothing has.
func (m *meter) learn(s *sample) {
	if !s.headway.known {
		return
	}
	for i := range m.samples {
		if then := m.samples[i].headway; then.known {
			orders, records := ordersBetween(then.value, s.headway.value), recordsBetween(then.value, s.headway.value)
			if orders > 0 && records > 0 {
				m.perRecord = max(1, orders/records)
				return
			}
			break
		}
	}
	if m.perRecord == 0 {
		m.perRecord = max(1, ordersBetween(nil, s.headway.value)/max(1, recordsBetween(nil, s.headway.value)))
	}
}

// waiting returns the orders in the records after the positions of the database. A partition without a position has settled
// nothing.
func (m *meter) waiting(s *sample) int64 {
	records := int64(0)
	for partition, end := range s.ends.value {
		records += max(0, end-s.headway.value[partition].Next)
	}
	return int64(float64(records) * m.perRecord)
}

func ordersBetween(then, now map[int32]sale.Headway) (orders float64) {
	for partition, h := range now {
		orders += float64(max(0, h.Orders-then[partition].Orders))
	}
	return orders
}

func recordsBetween(then, now map[int32]sale.Headway) (records float64) {
	for partition, h := range now {
		records += float64(max(0, h.Next-then[partition].Next))
	}
	return records
}

func producedBetween(then, now map[int32]int64) (records float64) {
	for partition, end := range now {
		records += float64(max(0, end-then[partition]))
	}
	return records
}

func grownBetween(then, now int64) float64 { return float64(now - then) }
