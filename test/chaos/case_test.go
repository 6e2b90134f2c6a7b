package chaos

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/check"
	"flashsale/test/check/gather"
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
		s.restock()
		s.holds()
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

// judge collects the evidence of the sale, which is at rest, and has it judged. No store loses anything in a story, and no
// refused key is pressed again.
func (s *story) judge(number int, begun time.Time) *outcome {
	s.t.Helper()
	require.NoError(s.t, s.crowd.Out.Close())
	e, err := s.collect(s.sales, s.crowd.Out.Ops(), newWitness(s.db, s.sales))
	require.NoError(s.t, err)
	e.Outages, e.Calm, e.Final, e.Waiting = s.outages, true, true, s.waiting()
	o := &outcome{number: number, ops: len(e.Ops), codes: check.Codes(e.Ops), struck: s.struck(number)}
	soldAgain(o.struck, e.Ops)
	o.result, o.linear = check.Judge(e), check.Linearizable(e)
	o.took = time.Since(begun)
	s.keep(o, s.historyPath())
	return o
}

// struck returns the death as a line of the table.
func (s *story) struck(number int) []struck {
	outage := s.outages[s.death]
	return []struck{{fault: fault{kind: "killed at crash point " + s.at.Name, kills: 1}, deed: nothing(s.died), round: number,
		span: check.Span{FromUS: outage.FromUS, ToUS: outage.ToUS - recoveryUS}}}
}

// waiting counts the rows of the outbox and of the events, and the orders that Redis counts as journaled.
func (s *story) waiting() map[string]int64 {
	s.t.Helper()
	waiting, err := gather.Waiting(context.Background(), s.db)
	require.NoError(s.t, err)
	for k := range s.buckets() {
		waiting["journaled orders"] += gather.Number(s.meta(k, "held")[0])
	}
	return waiting
}

// journaled returns the number of entries in the journals.
func (s *story) journaled() (entries int64) {
	s.t.Helper()
	for k := range s.buckets() {
		n, err := s.redis.primary.Do("XLEN", s.key(k, "journal"))
		require.NoError(s.t, err)
		entries += n.(int64)
	}
	return entries
}
