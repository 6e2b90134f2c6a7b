package settle

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// withhold makes the cluster answer requests for the offsets of a partition with an error while given is false.
func withhold(cluster *kfake.Cluster, partition int32, given *atomic.Bool) {
	cluster.ControlKey(int16(kmsg.ListOffsets), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked := request.(*kmsg.ListOffsetsRequest)
		if given.Load() || asked.Topics[0].Partitions[0].Partition != partition {
			return nil, nil, false
		}
		answer := asked.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = asked.Topics[0].Topic
		of := kmsg.NewListOffsetsResponseTopicPartition()
		of.Partition, of.ErrorCode = partition, kerr.OffsetNotAvailable.Code
		topic.Partitions = append(topic.Partitions, of)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
}

// TestAPartitionThatIsNotToldKeepsNoOther: the others are settled; readiness names the partition, and it is tried
// again.
func TestAPartitionThatIsNotToldKeepsNoOther(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	b := newBench(t, cluster.ListenAddrs())
	store := newDatabase()
	b.produceOrders(1, 8)
	var given atomic.Bool
	withhold(cluster, 2, &given)

	p := b.start(store)
	b.Eventually("the other partitions", func() bool { return store.settledOrders() == 12 })
	b.Eventually("the name of the one", func() bool { return p.Ready()["partition_2"] != "" })
	b.produceOrders(500, 8)
	b.Eventually("the other partitions go on", func() bool { return store.settledOrders() == 24 })
	require.Contains(t, p.Ready()["partition_2"], "high watermark has not caught up")
	require.Positive(t, p.progress.stalledFor())

	given.Store(true)
	b.Eventually("the partition", func() bool { return store.settledOrders() == 32 })
	b.Eventually("readiness", func() bool { return len(p.Ready()) == 0 })
	require.NoError(t, p.stop())
	require.Len(t, store.order, 16, "nothing was read twice: it was one session")
}

// TestASessionBeginsWithWhatIsTold: it waits briefly for all partitions and begins with those whose offsets are found.
func TestASessionBeginsWithWhatIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPartitionStarts(t.Context(), "id-of-t", []int32{1, 2, 3})
		p.set(1, 10, true)
		time.AfterFunc(startsWithin/2, func() { p.set(3, 30, true) })
		time.AfterFunc(time.Minute, func() { p.set(2, 20, true) })
		began := time.Now()
		require.Equal(t, map[int32]int64{1: 10, 3: 30}, p.waitForAll())
		require.Equal(t, startsWithin, time.Since(began))
		start, found := p.wait(2)
		require.True(t, found)
		require.Equal(t, int64(20), start)
		require.Len(t, p.waitForAll(), 3)
	})
}

// listClient returns offsets from a list, one per call, and then the last one forever.
type listClient struct {
	sarama.Client
	offsets []int64
	errors  []error
}

func (c *listClient) GetOffset(string, int32, int64) (offset int64, err error) {
	offset, err = c.offsets[0], c.errors[0]
	if len(c.offsets) > 1 {
		c.offsets, c.errors = c.offsets[1:], c.errors[1:]
	}
	return offset, err
}

// TestASessionWaitsForTheOffsetsOfAClaim: sarama ends a session for the error of one offset, so the client never
// returns that error.
func TestASessionWaitsForTheOffsetsOfAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, revoke := context.WithCancel(t.Context())
		c, _ := newFakeConsumer(t, &fakeSession{ctx: ctx})
		defer c.committer.stop()
		c.offsets = &offsetReader{topic: "t"}
		client := &groupClient{member: c, Client: &listClient{
			offsets: []int64{-1, -1, 7}, errors: []error{sarama.ErrOffsetNotAvailable, sarama.ErrNotLeaderForPartition, nil},
		}}
		client.starts.Store(c.starts)
		offset, err := client.GetOffset("t", 3, sarama.OffsetNewest)
		require.NoError(t, err)
		require.Equal(t, int64(7), offset)
		require.Empty(t, c.progress.checks())

		client.Client = &listClient{offsets: []int64{-1}, errors: []error{sarama.ErrOffsetNotAvailable}}
		time.AfterFunc(time.Minute, revoke)
		_, err = client.GetOffset("t", 3, sarama.OffsetNewest)
		require.ErrorIs(t, err, sarama.ErrOffsetNotAvailable)
		require.Error(t, ctx.Err(), "it was tried for as long as the session lasted")
	})
}

// lateAdmin has one committed offset.
type lateAdmin struct {
	sarama.ClusterAdmin
	offset int64
}

func (a lateAdmin) ListConsumerGroupOffsets(_ string, of map[string][]int32) (*sarama.OffsetFetchResponse, error) {
	response := &sarama.OffsetFetchResponse{}
	for topic, partitions := range of {
		for _, partition := range partitions {
			response.AddBlock(topic, partition, &sarama.OffsetFetchResponseBlock{Offset: a.offset})
		}
	}
	return response, nil
}

// TestAnEndBeforeTheStartIsLookedAtAgain: a broker that has lost the leadership may return an old end. When the other
// brokers return the same end, records were lost, and settlement ends.
func TestAnEndBeforeTheStartIsLookedAtAgain(t *testing.T) {
	for name, test := range map[string]struct {
		elsewhere int64 // the end that the other client returns
		found     bool
	}{"an old leader": {elsewhere: 9, found: true}, "records are lost": {elsewhere: 4}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newFakeConsumer(t, &fakeSession{ctx: t.Context()})
				defer c.committer.stop()
				var halted error
				c.halt = func(err error) { halted = err }
				c.starts = newPartitionStarts(t.Context(), "id-of-t", []int32{3})
				c.starts.set(3, 6, true)
				side := &listClient{offsets: []int64{0, test.elsewhere}, errors: []error{nil, nil}}
				c.offsets = &offsetReader{topic: "t", client: side, admin: lateAdmin{offset: 6}}
				client := &groupClient{member: c, Client: &listClient{offsets: []int64{4, 9}, errors: []error{nil, nil}}}
				client.starts.Store(c.starts)
				offset, err := client.GetOffset("t", 3, sarama.OffsetNewest)
				if test.found {
					require.NoError(t, err)
					require.Equal(t, int64(9), offset)
					require.NoError(t, halted)
					return
				}
				require.Error(t, err)
				var lost *OffsetError
				require.ErrorAs(t, halted, &lost)
			})
		})
	}
}

// TestAClaimThatTheLibraryGaveUpIsLookedAt: the session continues for the others until the partition can be read again.
func TestAClaimThatTheLibraryGaveUpIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := &fakeSession{ctx: t.Context()}
		c, _ := newFakeConsumer(t, session)
		defer c.committer.stop()
		side := &listClient{offsets: []int64{-1, -1, 0, 9},
			errors: []error{sarama.ErrOffsetNotAvailable, sarama.ErrOffsetNotAvailable, nil, nil}}
		c.offsets = &offsetReader{topic: "t", client: side, admin: lateAdmin{offset: 6}}
		claim := &fakeClaim{messages: feed()}
		close(claim.messages)
		began := time.Now()
		require.NoError(t, c.ConsumeClaim(session, claim))
		require.Positive(t, time.Since(began), "no offset was returned at first")
		require.Empty(t, c.progress.checks())
	})
}
