package settle

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeSession records what was marked and committed. It lacks the methods that the consumer does not call.
type fakeSession struct {
	sarama.ConsumerGroupSession
	ctx context.Context

	mu       sync.Mutex
	marked   int64
	metadata string
	commits  []int64
	begin    chan struct{} // when set, a commit announces itself and waits for finish
	finish   chan struct{}
}

func (s *fakeSession) Context() context.Context { return s.ctx }

func (s *fakeSession) MarkOffset(_ string, _ int32, offset int64, metadata string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marked, s.metadata = offset, metadata
}

func (s *fakeSession) Commit() {
	s.mu.Lock()
	offset := s.marked
	s.mu.Unlock()
	if s.begin != nil {
		s.begin <- struct{}{}
		<-s.finish
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits = append(s.commits, offset)
}

func (s *fakeSession) at() (marked int64, commits []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marked, append([]int64(nil), s.commits...)
}

// fakeClaim is partition 3 of a topic.
type fakeClaim struct {
	sarama.ConsumerGroupClaim
	messages chan *sarama.ConsumerMessage
	end      int64
}

func (c *fakeClaim) Topic() string                            { return "t" }
func (c *fakeClaim) Partition() int32                         { return 3 }
func (c *fakeClaim) HighWaterMarkOffset() int64               { return c.end }
func (c *fakeClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

func newFakeConsumer(t *testing.T, session *fakeSession) (*consumer, *database) {
	t.Helper()
	s, store, _ := newFakeSettling(t)
	at := newPartitionStarts(session.ctx, "id-of-t", []int32{3})
	at.set(3, 0, false)
	return &consumer{
		settling: s, lag: s.progress.lag, pressure: &pressure{}, log: slog.New(slog.DiscardHandler), maxRows: 1,
		maxBytes: 1 << 20,
		progress: s.progress, starts: at, committer: startCommitter(session),
	}, store
}

func TestOffsetsAreMarkedOnlyAfterTheBooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, revoke := context.WithCancel(t.Context())
		session := &fakeSession{ctx: ctx}
		c, store := newFakeConsumer(t, session)
		store.started, store.gate = make(chan struct{}), make(chan struct{})
		claim := &fakeClaim{messages: feed(recordBytes("demo", 1, 1), recordBytes("demo", 2, 1)), end: 2}
		ended := make(chan error, 1)
		go func() { ended <- c.ConsumeClaim(session, claim) }()

		for settled := range int64(2) {
			<-store.started
			synctest.Wait() // nothing changes until the transaction commits
			marked, commits := session.at()
			assert.Equal(t, settled, marked) // and continues: the consumer must end in this bubble
			for _, committed := range commits {
				assert.LessOrEqual(t, committed, settled)
			}
			store.gate <- struct{}{}
		}
		synctest.Wait()
		revoke()
		require.NoError(t, <-ended)
		require.NoError(t, c.Cleanup(session))

		marked, commits := session.at()
		require.Equal(t, int64(2), marked)
		require.Equal(t, "id-of-t", session.metadata)
		require.Equal(t, int64(2), commits[len(commits)-1])
	})
}

func TestARevokedClaimMarksNothingItDidNotSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, revoke := context.WithCancel(t.Context())
		session := &fakeSession{ctx: ctx}
		c, store := newFakeConsumer(t, session)
		store.failures = []error{nil, errAway, errAway, errAway, errAway, errAway, errAway, errAway, errAway, errAway}
		claim := &fakeClaim{messages: feed(recordBytes("demo", 1, 1), recordBytes("demo", 2, 1), recordBytes("demo", 3, 1))}
		ended := make(chan error, 1)
		go func() { ended <- c.ConsumeClaim(session, claim) }()
		synctest.Wait() // the first record is settled, the second waits for the database
		revoke()
		require.NoError(t, <-ended)
		require.NoError(t, c.Cleanup(session))

		marked, commits := session.at()
		require.Equal(t, int64(1), marked)
		require.Equal(t, int64(1), commits[len(commits)-1])
		require.InDelta(t, 1, testutil.ToFloat64(c.settling.metrics.records), 0, "by which the lag drains")
		require.Equal(t, 1, store.settledOrders())
		claimed, left := c.lag.claims()
		require.Empty(t, claimed)
		require.Equal(t, []int32{3}, left, "it stays in the metrics until the next session")
	})
}

func TestCommitsGatherWhileOneIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := &fakeSession{ctx: t.Context(), begin: make(chan struct{}), finish: make(chan struct{})}
		c := startCommitter(session)
		session.MarkOffset("t", 3, 1, "")
		c.wake()
		<-session.begin
		for offset := int64(2); offset <= 50; offset++ {
			session.MarkOffset("t", 3, offset, "")
			c.wake() // never blocks
		}
		session.finish <- struct{}{}
		stopped := make(chan struct{})
		go func() { c.stop(); close(stopped) }()
		for range 2 { // the commit of all marks, and the last commit
			<-session.begin
			session.finish <- struct{}{}
		}
		<-stopped
		require.Equal(t, []int64{1, 50, 50}, session.commits)
	})
}

// However many transactions there are, the group's offsets are committed at most ten times a second, and at once when
// the session ends.
func TestCommitsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, revoke := context.WithCancel(t.Context())
		session := &fakeSession{ctx: ctx}
		c := startCommitter(session)
		for offset := int64(1); offset <= 100; offset++ {
			session.MarkOffset("t", 3, offset, "")
			c.wake()
			<-time.After(commitEvery / 10)
		}
		_, commits := session.at()
		require.InDelta(t, 10, len(commits), 1)
		session.MarkOffset("t", 3, 101, "")
		c.wake()
		revoke()
		began := time.Now()
		c.stop()
		require.Zero(t, time.Since(began))
		_, commits = session.at()
		require.Equal(t, int64(101), commits[len(commits)-1])
	})
}

func TestLagOfFollowedPartitions(t *testing.T) {
	l := newLag()
	require.Zero(t, testutil.CollectAndCount(l))
	f := l.claim(3, 10, 0, 14, nil)
	l.claim(5, 0, 0, -1, nil) // the end is not known yet
	report := func(three, five string) string {
		return `# HELP flashsale_settle_lag_records Records in the partition that are not settled yet.
# TYPE flashsale_settle_lag_records gauge
flashsale_settle_lag_records{partition="3"} ` + three + `
flashsale_settle_lag_records{partition="5"} ` + five + "\n"
	}
	require.NoError(t, testutil.CollectAndCompare(l, strings.NewReader(report("4", "0"))))
	l.noteEnd(3, 30)
	l.noteEnd(3, 20) // an older answer
	l.noteEnd(9, 99) // not followed
	f.settledTo(12, 14)
	require.NoError(t, testutil.CollectAndCompare(l, strings.NewReader(report("18", "0"))))
	f.settledTo(31, 14) // beyond the end that was noted last
	require.NoError(t, testutil.CollectAndCompare(l, strings.NewReader(report("0", "0"))))
	claimed, left := l.claims()
	require.ElementsMatch(t, []int32{3, 5}, claimed)
	require.Empty(t, left)
}

// TestLagStaysWhileNoSessionIsUnderWay: the lag grows with new records, shrinks when another process settles, and the
// partition disappears when the next session has others.
func TestLagStaysWhileNoSessionIsUnderWay(t *testing.T) {
	l := newLag()
	l.claim(3, 10, 0, 14, nil)
	l.claim(5, 0, 0, 2, nil)
	l.endClaim(3)
	report := func(lines ...string) string {
		return "# HELP flashsale_settle_lag_records Records in the partition that are not settled yet.\n" +
			"# TYPE flashsale_settle_lag_records gauge\n" + strings.Join(lines, "")
	}
	const five = "flashsale_settle_lag_records{partition=\"5\"} 2\n"
	require.NoError(t, testutil.CollectAndCompare(l,
		strings.NewReader(report("flashsale_settle_lag_records{partition=\"3\"} 4\n", five))))
	l.noteEnd(3, 20)
	l.noteSettled(3, 15)
	l.noteSettled(5, 2) // its own claim has the newer number
	require.NoError(t, testutil.CollectAndCompare(l,
		strings.NewReader(report("flashsale_settle_lag_records{partition=\"3\"} 5\n", five))))
	l.keepOnly([]int32{5, 6})
	require.NoError(t, testutil.CollectAndCompare(l, strings.NewReader(report(five))))
}
