package scripts

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// seedVariable names the environment variable that replays a run: its value is the seed that the run printed.
const seedVariable = "FLASHSALE_MODEL_SEED"

// everyVerdict is what even a short run must see; everything is what a long run must see.
var (
	everyVerdict = []string{"T", "A", "R", "K", "L", "B", "b", "S", "J", "W", "C"}
	everything   = append([]string{
		"E", "l", "C 8", "late", "missing", "epoch", "state", "sequence", "replid", "sku", "not_started", "ended", "paused",
		"L of a later line", "B of a later line", "C of a later line", "E of a later line", "S of a later line",
		"trimmed", "applied", "newer", "absent", "closed", "loaded",
	}, everyVerdict...)
)

// TestModelAgreesWithRedis sends the same random operations to the model and to the scripts: they agree on every reply and on
// the whole state.
func TestModelAgreesWithRedis(t *testing.T) {
	server := harness.SharedRedis(t)
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{server.Addr}})
	runModel(t, r, replidOf(t, r), 400_000, slices.Concat(everything, everyTransfer, everyRelease))
}

// TestModelAgreesWithMiniredis is the same on the embedded server, which hides its replication id.
func TestModelAgreesWithMiniredis(t *testing.T) {
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{miniredis.RunT(t).Addr()}, Embedded: true})
	runModel(t, r, "", 10_000, everyVerdict)
}

func replidOf(t *testing.T, r *Redis) string {
	info, err := r.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Info().Section("replication").Build()
	}).ToString()
	require.NoError(t, err)
	_, rest, found := strings.Cut(info, "master_replid:")
	require.True(t, found)
	return rest[:40]
}

// runModel does at least that many operations. What they bring is random, so a run that lacks something of mustSee goes on, up
// to ten times as far, before it fails.
func runModel(t *testing.T, r *Redis, replid string, operations int, mustSee []string) {
	run := newModelRun(t, r, replid, modelSeed(t))
	run.installScript()
	unseen := func(what string) bool { return run.seen[what] == 0 }
	for run.done < operations || run.done < 10*operations && slices.ContainsFunc(mustSee, unseen) {
		run.step()
	}
	run.compareState()
	t.Logf("operations %d, verdicts and codes seen: %v", run.done, run.seen)
	for _, want := range mustSee {
		require.Positive(t, run.seen[want], "the run never saw %q", want)
	}
}

// modelSeed returns the seed of the environment, or a fresh one, and prints how to replay the run.
func modelSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("replay with: %s=%d go test ./scripts -run '^%s$'", seedVariable, seed, t.Name())
	return seed
}

// modelRun is one run: it sends every operation to Redis and to the model.
type modelRun struct {
	t         require.TestingT
	redis     *Redis
	keys      BucketKeys
	bucket    sale.Bucket
	model     stockModel
	random    *rand.Rand
	arguments *ArgumentBuffer

	transferSHA     string
	releaseSHA      string
	mostlyTransfers bool
	mostlyReleases  bool
	nextID          sale.OrderID
	version         int64
	highest         int64         // epoch ever loaded
	recent          []ReserveCall // to ask again
	lastTake        ReleasePage   // to repeat
	seen            map[string]int
	done            int
}

func newModelRun(t require.TestingT, r *Redis, replid string, seed uint64) *modelRun {
	bucket := sale.Bucket{Sale: "sale", Number: 3}
	run := &modelRun{
		t: t, redis: r, keys: r.Keys(bucket), bucket: bucket, random: rand.New(rand.NewPCG(seed, 1)),
		nextID:    sale.OrderID((time.Now().UnixMilli() - 3000 - sale.IDEpoch) << 22),
		arguments: NewArgumentBuffer(), transferSHA: TransferScript().SHA, releaseSHA: ReleaseScript().SHA,
		seen:  map[string]int{},
		model: stockModel{realReplid: replid, head: "sale 3"},
	}
	run.model.forget()
	return run
}

func (m *modelRun) one(out int) bool { return m.random.IntN(out) == 0 }

// step does one operation on both sides.
func (m *modelRun) step() {
	dead := !m.model.here || m.model.loaded != "open" || m.model.replid != "" && m.model.replid != m.model.realReplid
	stale := m.model.here && (m.model.available() < 100 || m.model.state == sale.StateClosed)
	switch {
	case dead && m.one(6):
		m.window()
	case dead && m.one(4), stale && m.one(30), m.one(3000):
		m.load()
	case m.one(40):
		m.window()
	case m.one(400):
		m.close()
	case m.one(20):
		m.trim()
	case m.one(15) || m.mostlyTransfers && m.one(2):
		m.transfer()
	case m.one(12) || m.mostlyReleases && m.one(2):
		m.release()
	case m.one(800):
		m.forget()
	case m.one(300) && m.model.replid != "":
		m.changeReplid()
	default:
		m.reserve()
	}
	if m.one(100) {
		m.compareState()
	}
}

func (m *modelRun) reserve() {
	call := m.newCall()
	if len(m.recent) > 0 && m.one(10) {
		again := m.recent[m.random.IntN(len(m.recent))]
		call.Purchases, call.OrderIDs, call.AskedAgain = again.Purchases, again.OrderIDs, !m.one(10)
	}
	m.done += max(1, len(call.Purchases))
	client, err := m.redis.connected()
	require.NoError(m.t, err)
	got, err := m.arguments.replyOf(client.Do(context.Background(), client.B().Evalsha().Sha1(m.arguments.sha).Numkeys(4).
		Key(call.Keys.all()...).Arg(m.arguments.of(&call)...).Build()))
	require.NoError(m.t, err)
	want := m.model.reserve(&call, got.NowMS)
	require.Equal(m.t, want, got, "after %d operations: %+v", m.done, call)
	m.note(got)
	if got.Code == CodeOK && len(call.Purchases) > 0 {
		m.recent = append(m.recent, call)
		m.recent = m.recent[max(0, len(m.recent)-20):]
	}
}

func (m *modelRun) note(reply ReserveReply) {
	if reply.Code != CodeOK {
		m.seen[reply.Code]++
		m.seen[reply.Detail]++
		return
	}
	if reply.Verdicts == "" {
		return
	}
	if reply.Verdicts == AllTaken {
		m.seen["T"]++
		return
	}
	for verdict := range strings.SplitSeq(reply.Verdicts, "\n") {
		words := strings.Fields(verdict)
		m.seen[words[0]]++
		if slices.Contains([]string{"L", "B", "C", "E", "S"}, words[0]) && words[1] != "1" {
			m.seen[words[0]+" of a later line"]++
		}
		if words[0] == "C" {
			m.seen["C "+words[2]]++
		}
	}
}

// available returns the units of all SKUs.
func (m *stockModel) available() (units int64) {
	for _, s := range m.shelves {
		units += s.available
	}
	return units
}

func (m *modelRun) trim() {
	trims := m.someTrims()
	if len(trims) == 0 {
		return
	}
	want := int64(0)
	for _, t := range trims {
		if m.model.trim(t) {
			want++
		}
	}
	call := (&TrimCall{m.keys, trims}).script()
	got, err := m.script(TrimScript(), call).AsInt64()
	require.NoError(m.t, err)
	require.Equal(m.t, want, got)
	m.seen["trimmed"] += int(got)
}

func (m *modelRun) forget() {
	err := m.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Del().Key(m.keys.all()...).Build()
	}).Error()
	require.NoError(m.t, err)
	m.model.forget()
}

func (m *modelRun) changeReplid() {
	err := m.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Hset().Key(m.keys.Meta).FieldValue().FieldValue("replid", "abc").Build()
	}).Error()
	require.NoError(m.t, err)
	m.model.replid = "abc"
}

func (m *modelRun) script(s Script, call scriptCall) *rueidis.RedisMessage {
	m.done++
	var reply rueidis.RedisMessage
	err := m.redis.runScripts(context.Background(), s, []scriptCall{call}, func(_ int, r rueidis.RedisMessage) error {
		reply = r
		return nil
	})
	require.NoError(m.t, err)
	return &reply
}

func (m *modelRun) installScript() {
	require.NoError(m.t, m.redis.InstallFenced(context.Background(), m.bucket, nil))
}

func (m *modelRun) compareState() {
	require.Equal(m.t, m.model.image(), redisImage(m.t, m.redis, m.keys), "after %d operations", m.done)
}
