package doctor

import (
	"errors"
	"time"
)

// clockReadings is how often a clock is read; the reading with the shortest way counts.
const clockReadings = 3

// Differences of clocks from Redis's.
const (
	clockWarning = 500 * time.Millisecond
	clockDanger  = 2 * time.Second
)

// clockReading is how far a server's clock is ahead of this machine's.
type clockReading struct {
	known bool
	ahead time.Duration
	way   time.Duration // of question and answer; half of it is the error of ahead
}

// keep keeps a reading unless the one before had a shorter way.
func (c *clockReading) keep(theirs, sent, received time.Time) {
	way := received.Sub(sent)
	if c.known && c.way <= way {
		return
	}
	*c = clockReading{known: true, ahead: theirs.Sub(sent.Add(way / 2)), way: way}
}

// clock is one clock beside Redis's.
type clock struct {
	of      string // whose, such as "the database at db:3306"
	check   string
	reading clockReading
	mend    string
	unknown string // why there is no reading
}

// clocks are all clocks; the first Redis that told its time is the measure.
type clocks struct {
	redis   clockReading
	of      string // the address of that Redis
	others  []clock
	records recordClock
}

// recordClock is the time that a broker has written into the newest record of the topics.
type recordClock struct {
	newest time.Time // zero when there is no record
	now    time.Time // this machine's time when it was read
}

const setClock = "timedatectl set-ntp true"

// readClocks gathers the clocks from what was read of the stores.
func readClocks(redis redisFacts, kafka kafkaFacts, database databaseFacts, now time.Time) clocks {
	c := clocks{records: recordClock{newest: kafka.newest, now: now}}
	for _, n := range redis.nodes {
		switch {
		case !n.clock.known:
		case !c.redis.known:
			c.redis, c.of = n.clock, n.addr
		default:
			c.others = append(c.others, clock{of: "redis at " + n.addr, check: "redis", reading: n.clock, mend: setClock})
		}
	}
	local := clock{of: "this machine", check: "local", mend: setClock, reading: clockReading{known: true}}
	base := clock{of: "the database at " + database.addr, check: "database", reading: database.clock, mend: setClock,
		unknown: errorText(errors.Join(database.err, database.clockErr))}
	c.others = append(c.others, local, base)
	return c
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

const (
	whyClocks = "Sales open and close and tokens end by Redis's clock; the database's decides when unpaid orders expire, and a " +
		"gateway whose clock is wrong makes order ids of another time."
	whyBroker = "Kafka deletes records by the brokers' clocks where kafka.retention is set."
)

// judgeClocks compares every clock with Redis's.
func judgeClocks(c clocks) []Finding {
	f := &findings{store: Clocks}
	if !c.redis.known {
		f.add(Unknown, "redis", whyClocks, "redis-cli TIME", "Redis did not tell its time, so no clock can be compared")
		return f.all
	}
	for _, other := range c.others {
		if !other.reading.known {
			f.add(Unknown, other.check, whyClocks, "SELECT NOW(3);", "%s did not tell its time: %s", other.of, other.unknown)
			continue
		}
		ahead := other.reading.ahead - c.redis.ahead
		f.add(clockLevel(ahead), other.check, whyClocks, other.mend+"  # on the machine whose clock is wrong",
			"%s is %s Redis at %s, to within %s", other.of, inWords(ahead), c.of, margin(other.reading, c.redis))
	}
	judgeBroker(f, c)
	return f.all
}

// judgeBroker compares the time in the newest record. A broker's clock that is behind leaves no trace in it.
func judgeBroker(f *findings, c clocks) {
	if c.records.newest.IsZero() {
		f.add(OK, "brokers", whyBroker, "", "the topics have no record that shows a broker's clock")
		return
	}
	ahead := c.records.newest.Sub(c.records.now.Add(c.redis.ahead))
	if ahead <= 0 {
		f.add(OK, "brokers", whyBroker, "", "the newest record of the topics is not from the future")
		return
	}
	f.add(clockLevel(ahead), "brokers", whyBroker, setClock+"  # on the brokers",
		"the newest record of the topics is %s ahead of Redis", ahead.Round(time.Millisecond))
}

func clockLevel(ahead time.Duration) Level {
	switch {
	case ahead.Abs() > clockDanger:
		return Danger
	case ahead.Abs() > clockWarning:
		return Warning
	}
	return OK
}

func inWords(ahead time.Duration) string {
	if ahead < 0 {
		return ahead.Abs().Round(time.Millisecond).String() + " behind"
	}
	return ahead.Round(time.Millisecond).String() + " ahead of"
}

func margin(a, b clockReading) time.Duration {
	return ((a.way + b.way) / 2).Round(100 * time.Microsecond)
}
