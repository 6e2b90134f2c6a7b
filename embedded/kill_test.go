package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// victimDir names the data directory for a copy of this test binary that the test kills.
const victimDir = "FLASHSALE_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, sellUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	killTopic = "shop.orders"
	killGroup = "shop.settle"
	killAfter = 500 // acknowledged records
)

// sellUntilKilled starts the engines and prints a line for each record that Kafka has acknowledged. It commits every tenth
// offset before its line.
func sellUntilKilled(dir string) error {
	e, err := Start(Options{Dir: dir})
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(e.KafkaBrokers...), namesOfTopics())
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := createKillTopic(ctx, client); err != nil {
		return err
	}
	for n := 0; ; n++ {
		value := fmt.Sprintf("record %d", n)
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: killTopic, Value: []byte(value)}).FirstErr(); err != nil {
			return err
		}
		if n%10 == 0 {
			if err := commit(ctx, client, int64(n)); err != nil {
				return err
			}
		}
		fmt.Println(value)
	}
}

// namesOfTopics makes a client speak the protocol of Kafka 3.6, the last in which offsets go by a topic's name.
func namesOfTopics() kgo.Opt { return kgo.MaxVersions(kversion.V3_6_0()) }

func createKillTopic(ctx context.Context, client *kgo.Client) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = killTopic, 1, 1
	setting := kmsg.NewCreateTopicsRequestTopicConfig()
	setting.Name, setting.Value = "retention.ms", kmsg.StringPtr("-1")
	topic.Configs = append(topic.Configs, setting)
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.Topics[0].ErrorCode)
}

func commit(ctx context.Context, client *kgo.Client, offset int64) error {
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Offset = offset
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = killTopic, append(topic.Partitions, partition)
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.Generation, request.Topics = killGroup, -1, append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
}

// After a kill at any time, the directory has every acknowledged record, the topic with its settings, and the offsets.
func TestKafkaSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := killVictim(t, dir)

	began := time.Now()
	e := start(t, Options{Dir: dir})
	require.Less(t, time.Since(began), time.Second)
	require.Equal(t, acknowledged, readAll(t, e, killTopic, len(acknowledged))[:len(acknowledged)])

	client := kafkaClient(t, e, namesOfTopics())
	defer client.Close()
	require.GreaterOrEqual(t, committedOffset(t, client), int64(killAfter-10))
	require.Equal(t, "-1", retention(t, client))
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: killTopic, Value: []byte("after")}).FirstErr())
}

func committedOffset(t *testing.T, client *kgo.Client) int64 {
	t.Helper()
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.Partitions = killTopic, []int32{0}
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group, group.Topics = killGroup, append(group.Topics, topic)
	request := kmsg.NewPtrOffsetFetchRequest()
	request.Groups = append(request.Groups, group)
	answer, err := request.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(answer.Groups[0].ErrorCode))
	return answer.Groups[0].Topics[0].Partitions[0].Offset
}

func retention(t *testing.T, client *kgo.Client) string {
	t.Helper()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, killTopic
	resource.ConfigNames = []string{"retention.ms"}
	request := kmsg.NewPtrDescribeConfigsRequest()
	request.Resources = append(request.Resources, resource)
	answer, err := request.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NotNil(t, answer.Resources[0].Configs[0].Value)
	return *answer.Resources[0].Configs[0].Value
}

// killVictim starts a process that sells on the directory, kills it, and returns the acknowledged records.
func killVictim(t *testing.T, dir string) []string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	victim := exec.Command(self)
	victim.Env = append(os.Environ(), victimDir+"="+dir)
	victim.Stderr = os.Stderr
	output, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	lines := bufio.NewScanner(output)
	var acknowledged []string
	for len(acknowledged) < killAfter && lines.Scan() {
		acknowledged = append(acknowledged, lines.Text())
	}
	require.NoError(t, victim.Process.Kill())
	for lines.Scan() { // records between the last line read and the kill
		acknowledged = append(acknowledged, lines.Text())
	}
	require.Error(t, victim.Wait())
	require.GreaterOrEqual(t, len(acknowledged), killAfter)
	return acknowledged
}
