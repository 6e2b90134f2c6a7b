package kafka_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flashsale/kafka"
	"flashsale/sale"
	"flashsale/test/harness"
	"flashsale/test/kafkabench"
)

func shadowOf(t testing.TB, namespace string) sale.Shadow {
	t.Helper()
	names, err := sale.ShadowOf(namespace[max(0, len(namespace)-54):], "any")
	require.NoError(t, err)
	return names
}

// The topics and the group of a shadow come and go, and those of the real engine stay with their records.
func TestTopicsOfAShadow(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		ctx := t.Context()
		_, _, err := b.Producer.SendMessage(&sarama.ProducerMessage{Topic: b.Topics.Orders, Value: sarama.StringEncoder("real")})
		require.NoError(b, err)
		partitions, replication, err := kafka.Layout(ctx, b.Kafka, b.Namespace)
		require.NoError(b, err)
		require.EqualValues(b, kafkabench.Partitions, partitions)
		require.EqualValues(b, 1, replication)
		names := shadowOf(b, b.Namespace)
		none := func() {
			b.Helper()
			found, err := kafka.ShadowTopics(ctx, b.Kafka, names)
			require.NoError(b, err)
			require.Empty(b, found)
		}
		none()
		require.NoError(b, kafka.CheckShadowRights(ctx, b.Kafka, names, partitions, replication))
		none()
		require.NoError(b, kafka.CreateTopics(ctx, b.Kafka, names.Namespace(), partitions, replication))
		b.Eventually("the shadow's topics", func() bool {
			found, err := kafka.ShadowTopics(ctx, b.Kafka, names)
			return err == nil && len(found) == 3
		})
		require.NoError(b, kafka.DeleteShadow(ctx, b.Kafka, names))
		none()
		require.NoError(b, kafka.DeleteShadow(ctx, b.Kafka, names), "once more")
		require.NoError(b, kafka.CheckTopics(ctx, b.Kafka, b.Namespace, partitions))
		end, err := b.Client.GetOffset(b.Topics.Orders, 0, sarama.OffsetNewest)
		require.NoError(b, err)
		require.EqualValues(b, 1, end)
	})
}

func TestAShadowWithoutARealTopic(t *testing.T) {
	b := kafkabench.New(t, kafkabench.StartFake(t))
	_, _, err := kafka.Layout(t.Context(), b.Kafka, "nothing-here")
	require.ErrorContains(t, err, "topic nothing-here.orders does not exist: run \"flashsale migrate\"")
	require.ErrorIs(t, kafka.DeleteShadow(t.Context(), b.Kafka, sale.Shadow{}), sale.ErrNotShadow)
}

// A coordinator that still reads its groups is asked again, for the rights and for the removal.
func TestACoordinatorThatLoads(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	options := kafka.Options{Brokers: cluster.ListenAddrs()}
	var loads atomic.Int32 // so many questions find it reading
	cluster.ControlKey(int16(kmsg.DeleteGroups), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if loads.Add(-1) < 0 {
			return nil, nil, false
		}
		cluster.KeepControl()
		asked := request.(*kmsg.DeleteGroupsRequest)
		answer := asked.ResponseKind().(*kmsg.DeleteGroupsResponse)
		answer.Groups = []kmsg.DeleteGroupsResponseGroup{{Group: asked.Groups[0], ErrorCode: kerr.CoordinatorLoadInProgress.Code}}
		return answer, nil, true
	})
	loads.Store(2)
	require.NoError(t, kafka.CheckShadowRights(t.Context(), options, shadowOf(t, "shop"), 2, 1))
	require.Negative(t, loads.Load())
	loads.Store(2)
	require.NoError(t, kafka.DeleteShadow(t.Context(), options, shadowOf(t, "shop")))
	require.Negative(t, loads.Load())
}

// Missing rights are found without a write, and what the line in the error grants is enough.
func TestRightsOfAShadow(t *testing.T) {
	broker := harness.KafkaSecured(t, "rehearser")
	options := kafka.Options{Brokers: broker.Brokers, SASLMechanism: "PLAIN", Username: "rehearser",
		Password: harness.PasswordOf("rehearser")}
	names := shadowOf(t, "shop")
	err := kafka.CheckShadowRights(t.Context(), options, names, 2, 1)
	require.ErrorIs(t, err, sale.ErrRights)
	require.ErrorContains(t, err, "kafka denies Create, Delete, Delete of the group for shop.rehearsal.* to rehearser")
	require.ErrorContains(t, err, "--allow-principal User:rehearser --resource-pattern-type prefixed --topic shop.rehearsal. "+
		"--group shop.rehearsal. --operation All")
	client, err := broker.ClientOf("")
	require.NoError(t, err)
	defer client.Close()
	some := kadm.NewACLs().Allow("User:rehearser").AllowHosts("*").ResourcePatternType(kadm.ACLPatternPrefixed).
		Topics("shop.").Operations(kmsg.ACLOperationCreate, kmsg.ACLOperationAlter)
	_, err = kadm.NewClient(client).CreateACLs(t.Context(), some)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		err := kafka.CheckShadowRights(t.Context(), options, names, 2, 1)
		return err != nil && strings.Contains(err.Error(), "kafka denies Delete, Delete of the group for")
	}, kafkabench.Soon, kafkabench.Often, "a user who sees a topic may still not delete it")
	grant := kadm.NewACLs().Allow("User:rehearser").AllowHosts("*").ResourcePatternType(kadm.ACLPatternPrefixed).
		Topics("shop.rehearsal.").Groups("shop.rehearsal.").Operations(kmsg.ACLOperationAll)
	results, err := kadm.NewClient(client).CreateACLs(t.Context(), grant)
	require.NoError(t, err)
	for _, result := range results {
		require.NoError(t, result.Err)
	}
	require.Eventually(t, func() bool { return kafka.CheckShadowRights(t.Context(), options, names, 2, 1) == nil },
		kafkabench.Soon, kafkabench.Often)
	require.NoError(t, kafka.CreateTopics(t.Context(), options, names.Namespace(), 2, 1))
	require.NoError(t, kafka.DeleteShadow(t.Context(), options, names))
}
