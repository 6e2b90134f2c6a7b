package settle

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// stalledAt lets time pass while Kafka answers, and returns how long settlement has stalled then.
func (p *progress) stalledAt(after time.Duration) time.Duration {
	<-time.After(after)
	p.kafkaAnswered()
	return p.stalledFor()
}

func TestSettlementStandsOutsideASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(newLag())
		require.Equal(t, time.Hour, p.stalledAt(time.Hour))
		p.start()
		require.Equal(t, 10*time.Second, p.stalledAt(10*time.Second))
		require.Empty(t, p.checks(), "it may still be starting")
		p.failed(errors.New("join the group: no answer"))
		require.Equal(t, 16*time.Second, p.stalledAt(6*time.Second))
		require.Equal(t, map[string]string{"settle": "has stalled for 16s: join the group: no answer"}, p.checks())
		p.sessionBegan()
		require.Zero(t, p.stalledAt(time.Hour), "nothing waits")
		<-time.After(silentAfter)
		require.Zero(t, p.stalledFor())
		<-time.After(time.Second)
		require.Equal(t, silentAfter+time.Second, p.stalledFor(), "Kafka does not answer")
		p.kafkaAnswered()
		require.Zero(t, p.stalledFor())
		require.Empty(t, p.checks())
		p.sessionEnded()
		require.Equal(t, time.Second, p.stalledAt(time.Second))
	})
}

func TestSettlementStandsWhileRecordsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLag()
		p := newProgress(l)
		p.sessionBegan()
		l.claim(3, 10, 0, 10, nil)
		require.Zero(t, p.stalledAt(time.Hour))
		l.noteEnd(3, 12)
		require.Equal(t, 20*time.Second, p.stalledAt(20*time.Second))
		p.failed(errors.New("settle: the database is away"))
		require.Equal(t, map[string]string{"settle": "has stalled for 20s: settle: the database is away"}, p.checks())
		l.endClaim(3)
		l.claim(3, 10, 0, 12, nil) // another session, and nothing is settled yet
		require.Equal(t, 30*time.Second, p.stalledAt(10*time.Second))
		require.InDelta(t, 30, testutil.ToFloat64(p), 0)
		f := l.claim(3, 10, 0, 12, nil)
		f.settledTo(11, 12)
		p.settled()
		require.Equal(t, 2*time.Second, p.stalledAt(2*time.Second), "one record still waits")
		f.settledTo(12, 12)
		require.Zero(t, p.stalledAt(time.Hour))
	})
}

func TestAPartitionThatIsNotToldIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(newLag())
		p.sessionBegan()
		p.unreadable(7, errors.New("no leader"))
		require.Equal(t, 3*time.Second, p.stalledAt(3*time.Second))
		p.unreadable(7, errors.New("still no leader"))
		require.Equal(t, 5*time.Second, p.stalledAt(2*time.Second))
		require.Equal(t, map[string]string{"partition_7": "is not settled: still no leader"}, p.checks())
		p.readable(7)
		require.Zero(t, p.stalledFor())
		require.Empty(t, p.checks())
	})
}

// TestClientsAreStuckOnlyByKafka: the time that the database or a session takes does not count; consecutive failed
// attempts do.
func TestClientsAreStuckOnlyByKafka(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(newLag())
		after := func(wait time.Duration) bool { <-time.After(wait); return p.stuck() }
		require.False(t, after(time.Hour), "nothing was tried yet")
		p.waitForKafka()
		require.False(t, after(beginWithin))
		p.sessionEnded() // of an attempt
		require.True(t, after(time.Second))
		p.stopWaitingForKafka()
		require.False(t, after(time.Hour), "the database is away")
		p.waitForKafka()
		require.False(t, after(beginWithin))
		p.sessionBegan()
		p.waitForKafka() // a partition is checked again within the session
		require.False(t, after(time.Hour))
		p.sessionEnded()
		require.False(t, after(beginWithin))
		require.True(t, after(time.Second))
	})
}
