package chaos

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/chaos/check"
	"flashsale/test/harness"
	"flashsale/test/stack"
)

// playCase plays one sale until a process has died at the point, and then to its end, and judges it.
func playCase(t *testing.T, at stack.CrashPoint, number int) *outcome {
	begun := time.Now()
	s := newStory(t, at)
	s.begin()
	s.define()
	for round := 0; round < storyRounds && s.died == ""; round++ {
		s.home = round % s.buckets()
		s.sellOut()
		s.repeat()
		s.giveBack()
		s.pauseAndResume()
		s.special()
		s.loseScript()
		s.mend()
	}
	require.NotEmpty(t, s.died, "%s was not passed %d times", at.Name, at.Time)
	s.ready()
	s.mended()
	s.sellOut()
	s.quiet()
	o := s.judge(number, begun)
	for _, f := range o.faults() {
		t.Errorf("after %s died at %s: %s: %s", s.died, at.Name, f.Check, f.Text)
	}
	audited := s.insist(2, func() harness.Result { return s.Command("audit", "s", "--wait", "30s") }) // 1 would be a breach
	require.Zero(t, audited.Code, "%s\n%s", audited.Stdout, audited.Stderr)
	t.Logf("%s died", s.died)
	return o
}

// judge gathers everything about the sale, which is at rest, and has it judged by every check of the suite and by the
// stricter ones.
func (s *story) judge(number int, begun time.Time) *outcome {
	s.t.Helper()
	require.NoError(s.t, s.crowd.out.Close())
	e, err := s.gather(s.sales, s.crowd.out.Ops(), newWitness(s.books, s.sales))
	require.NoError(s.t, err)
	e.Outages = s.outages
	o := &outcome{number: number, ops: len(e.Ops), codes: check.Codes(e.Ops), struck: s.struck(number)}
	soldAgain(o.struck, e.Ops)
	o.result = check.Judge(e)
	o.result.Faults = append(o.result.Faults, strict(e)...)
	for k := range s.buckets() {
		o.result.Faults = append(o.result.Faults, s.bucket(k).faults(k)...)
	}
	o.linear = check.Linearizable(e)
	o.took = time.Since(begun)
	s.keep(o, s.historyPath())
	return o
}

// struck is the death as the table counts it.
func (s *story) struck(number int) []struck {
	outage := s.outages[s.death]
	return []struck{{fault: fault{kind: "killed at crash point " + s.at.Name, kills: 1}, deed: nothing(s.died), round: number,
		span: check.Span{FromUS: outage.FromUS, ToUS: outage.ToUS - recoveryUS}}}
}

// bucket reads everything about one bucket from the database and from Redis.
func (s *story) bucket(k int) bucket {
	s.t.Helper()
	var b bucket
	var settledEpoch, givenEpoch int64
	err := s.books.QueryRow("SELECT loaded, settled, released, settled_epoch, given_epoch, state, epoch FROM stock "+
		"WHERE sale_id = 's' AND bucket = ?", k).
		Scan(&b.Loaded, &b.Settled, &b.Released, &settledEpoch, &givenEpoch, &b.State, &b.Epoch)
	require.NoError(s.t, err)
	err = s.books.QueryRow("SELECT COALESCE(SUM(IF(status IN ('confirmed', 'paid'), quantity, 0)), 0), "+
		"COALESCE(SUM(IF(status IN ('cancelled', 'expired'), quantity, 0)), 0) FROM orders "+
		"WHERE sale_id = 's' AND bucket = ?", k).
		Scan(&b.Standing, &b.Returned)
	require.NoError(s.t, err)
	meta := s.meta(k, "epoch", "loaded_state", "available", "held", "taken", "returned")
	b.RedisState = meta[1]
	b.RedisEpoch, b.Available, b.Journaled = number(meta[0]), number(meta[2]), number(meta[3])
	b.InFlight = number(meta[4]) - number(meta[5]) + givenEpoch - settledEpoch
	b.Entries = s.entries(k)
	return b
}

// entries adds the units that count in the buyers' entries of a bucket; those that were given back are below zero there.
func (s *story) entries(k int) (units int64) {
	s.t.Helper()
	found, err := s.redis.primary.Do("HVALS", s.key(k, "buyers"))
	require.NoError(s.t, err)
	for _, value := range found.([]any) {
		for _, entry := range strings.Split(strings.Trim(fmt.Sprint(value), `"`), `"`) {
			n, err := strconv.ParseInt(strings.Split(entry, ",")[1], 10, 64)
			require.NoError(s.t, err, entry)
			units += max(n, 0)
		}
	}
	return units
}

// journaled returns how many entries the journals hold.
func (s *story) journaled() (entries int64) {
	s.t.Helper()
	for k := range s.buckets() {
		n, err := s.redis.primary.Do("XLEN", s.key(k, "journal"))
		require.NoError(s.t, err)
		entries += n.(int64)
	}
	return entries
}
