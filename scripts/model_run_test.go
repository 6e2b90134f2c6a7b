package scripts

import (
	"context"
	"fmt"
	"maps"
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
	everyVerdict = []string{"T", "A", "R", "K", "L", "l", "B", "b", "S", "J", "W", "C"}
	everything   = append([]string{
		"E", "C 8", "late", "missing", "epoch", "state", "sequence", "replid", "sku", "not_started", "ended", "paused",
		"L of a later line", "B of a later line", "C of a later line", "E of a later line", "S of a later line", "trimmed", "applied", "newer", "absent", "closed", "loaded",
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

func runModel(t *testing.T, r *Redis, replid string, operations int, mustSee []string) {
	run := newModelRun(t, r, replid, modelSeed(t))
	run.installScript()
	for run.done < operations {
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

// catalogue is the sale's items, by the lines that orders have of them. The numbers begin with each other in base 36 and in
// decimal. The last item is not loaded: a page of the outbox begins it.
var catalogue = []sale.Line{
	{SKU: "phone", Number: 1, UnitPriceCents: 129_900}, {SKU: "case", Number: 2}, {SKU: "cable", Number: 11, UnitPriceCents: 5},
	{SKU: "plug", Number: 37, UnitPriceCents: sale.MaxPriceCents}, {SKU: "late", Number: 1300, UnitPriceCents: 1},
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
		if strings.Contains("LBCES", words[0]) && words[1] != "1" {
			m.seen[words[0]+" of a later line"]++
		}
		if words[0] == "C" {
			m.seen["C "+words[2]]++
		}
	}
}

// lines are lines of the catalogue by SKU and quantity, in pairs.
func lines(pairs ...any) (found []sale.Line) {
	for i := 0; i < len(pairs); i += 2 {
		at := slices.IndexFunc(catalogue, func(item sale.Line) bool { return item.SKU == pairs[i] })
		line := catalogue[at]
		line.Quantity = pairs[i+1].(int)
		found = append(found, line)
	}
	return found
}

// available returns the units of all SKUs.
func (m *stockModel) available() (units int64) {
	for _, s := range m.shelves {
		units += s.available
	}
	return units
}

// newCall makes a batch: usually a valid one, sometimes with another epoch, a sequence that does not exist yet or a deadline
// that has passed.
func (m *modelRun) newCall() ReserveCall {
	call := ReserveCall{
		Keys: m.keys, Head: m.model.head, Epoch: m.model.epoch, Highest: m.random.Int64N(m.model.seq + 1),
		DeadlineMS: farDeadline, MaxJournal: 100_000, Trims: m.someTrims(), AskedAgain: m.one(50),
	}
	if m.one(3) {
		call.Grief = sale.Grief{Unpaid: 1 + m.random.IntN(4), WindowS: []int64{1, 2, 5, 3600}[m.random.IntN(4)]}
	}
	if m.one(60) {
		call.Epoch += int64(m.random.IntN(3)) - 1
	}
	if m.one(60) {
		call.Highest = m.model.seq + 1
	}
	if m.one(60) {
		call.DeadlineMS = 1
	}
	if m.one(10) {
		call.MaxJournal = m.random.IntN(20)
	}
	n := m.random.IntN(10)
	if m.one(50) {
		n = 100 + m.random.IntN(156)
	}
	buyers := 1 + m.random.IntN(300)
	if m.one(3) {
		buyers = 1 + m.random.IntN(3)
	}
	quantities := 1
	if m.one(2) {
		quantities = 4
	}
	for range n {
		p := m.purchase(buyers, quantities)
		call.Purchases = append(call.Purchases, &p)
		m.nextID += 1 + sale.OrderID(m.random.IntN(1<<20))
		call.OrderIDs = append(call.OrderIDs, m.nextID)
	}
	return call
}

func (m *modelRun) purchase(buyers, quantities int) sale.Purchase {
	keys := []string{"", "", "", "k", "k,k", "a key, with , and  spaces", "R 1 2", "0,0,0,0", "1,", "~!#%^&*()_+{}|:<>?"}
	lines := 1
	if m.one(3) {
		lines = 1 + m.random.IntN(4)
	}
	p := sale.Purchase{
		Bucket: m.bucket, Buyer: fmt.Sprintf("buyer-%d@|+.:_", m.random.IntN(buyers)), Key: keys[m.random.IntN(len(keys))],
	}
	for _, item := range m.random.Perm(len(catalogue))[:lines] {
		line := catalogue[item]
		if m.model.shelves[line.SKU] == nil && !m.one(300) {
			line = catalogue[0]
		}
		if slices.ContainsFunc(p.Lines, func(l sale.Line) bool { return l.SKU == line.SKU }) {
			continue
		}
		line.Quantity = 1 + m.random.IntN(quantities)
		p.Lines = append(p.Lines, line)
	}
	return p
}

// someTrims picks entries of the journal, and entries that never existed.
func (m *modelRun) someTrims() []Trim {
	var trims []Trim
	for range m.random.IntN(4) {
		if n := len(m.model.journal); n > 0 && !m.one(10) {
			entry := m.model.journal[m.random.IntN(n)]
			trims = append(trims, Trim{EntryID: entry.id(), Orders: entry.orders})
		} else {
			trims = append(trims, Trim{EntryID: EntryID(m.model.epoch, m.random.Int64N(9)+1, m.nextID), Orders: 2})
		}
	}
	return trims
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

func (m *modelRun) newWindow() sale.Window {
	now := time.Now().UnixMilli()
	m.version += int64(m.random.IntN(3)) // sometimes the same version again
	states := []sale.State{
		sale.StateOpen, sale.StateOpen, sale.StateOpen, sale.StateOpen, sale.StateOpen, sale.StatePaused, sale.StatePreloaded,
		sale.StateClosed,
	}
	w := sale.Window{
		Version: m.version, State: states[m.random.IntN(len(states))], StartsMS: now - 1000, EndsMS: now + 3_600_000,
	}
	if m.one(3) {
		w.Limit = 2 + m.random.IntN(20)
	}
	switch m.random.IntN(12) {
	case 0:
		w.StartsMS = now + 5 // opens during the run
	case 1:
		w.EndsMS = now + 5
	case 2:
		w.StartsMS = now + 1_000_000
	case 3:
		w.EndsMS = now - 1
	}
	return w
}

func (m *modelRun) window() {
	w := m.newWindow()
	got, err := m.script(WindowScript(), scriptCall{keys: []string{m.keys.Meta}, args: windowArgs(w)}).ToString()
	require.NoError(m.t, err)
	require.Equal(m.t, m.model.applyWindow(w), got)
	m.seen[got]++
}

func (m *modelRun) close() {
	epoch := m.model.epoch - int64(m.random.IntN(2))
	got, err := m.script(CloseScript(), scriptCall{keys: []string{m.keys.Meta}, args: []string{fmt.Sprint(epoch)}}).ToString()
	require.NoError(m.t, err)
	require.Equal(m.t, m.model.close(epoch), got)
	m.seen[got]++
}

// load loads a new epoch with some of the orders of the old one, or tries an epoch that is not new.
func (m *modelRun) load() {
	l := sale.Load{Stock: m.newStock(), Window: m.newWindow(), Outbox: m.random.Int64N(1000)}
	l.Bucket, l.Epoch = m.bucket, m.highest+1+m.random.Int64N(2)
	if m.one(4) {
		l.Epoch = max(m.model.epoch, 1)
	}
	for _, buyer := range slices.Sorted(maps.Keys(m.model.buyers)) {
		for _, e := range m.model.buyers[buyer] {
			o := sale.RecordOrder{OrderID: e.orderID, Lines: e.lines, Buyer: buyer, Key: e.key}
			if m.one(2) {
				l.Owners = append(l.Owners, o)
			} else if m.one(2) {
				l.Released = append(l.Released, o)
			}
		}
	}
	steps := m.redis.loadSteps(l)
	first, err := m.script(LoadScript(), steps.begin).ToString()
	require.NoError(m.t, err)
	if first != "done" {
		require.Equal(m.t, "older", first)
		require.False(m.t, m.model.load(l, 0, false))
		return
	}
	require.True(m.t, m.model.load(l, m.base(), m.model.realReplid != ""))
	calls := slices.Concat([]scriptCall{steps.begin}, steps.stock, steps.buyers, steps.stock, []scriptCall{steps.open, steps.open})
	for _, call := range calls {
		got, err := m.script(LoadScript(), call).ToString()
		require.NoError(m.t, err)
		require.Equal(m.t, "done", got)
	}
	m.model.base = m.base() // begin was sent twice
	m.highest = l.Epoch
	m.recent = nil
	m.seen["loaded"]++
}

// newStock is the stock of a load: all items but the last.
func (m *modelRun) newStock() (stock []sale.ShelfLoad) {
	for _, item := range catalogue[:len(catalogue)-1] {
		shelf := sale.ShelfLoad{SKU: item.SKU, Available: m.random.Int64N(200), Number: item.Number, Limit: 1 + m.random.IntN(5)}
		if m.one(3) {
			shelf.Limit = 20 + m.random.IntN(20) // for buyers of many orders
		}
		stock = append(stock, shelf)
	}
	return stock
}

// base is the time of the last load by Redis's clock, for the model.
func (m *modelRun) base() int64 {
	text, err := m.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Hget().Key(m.keys.Meta).Field("base_ms").Build()
	}).AsInt64()
	require.NoError(m.t, err)
	return text
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

// redisImage is stockModel.image for the state in Redis.
func redisImage(t require.TestingT, r *Redis, keys BucketKeys) []string {
	ctx := context.Background()
	hash := func(key string) map[string]string {
		values, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed { return c.B().Hgetall().Key(key).Build() }).AsStrMap()
		require.NoError(t, err)
		return values
	}
	meta, stock, buyers := hash(keys.Meta), hash(keys.Stock), hash(keys.Buyers)
	entries, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Xrange().Key(keys.Journal).Start("-").End("+").Build()
	}).AsXRange()
	require.NoError(t, err)
	var lines []string
	if len(meta) > 0 {
		lines = append(lines,
			fmt.Sprintf("meta epoch=%s state=%s replid=%s checked=%s base=%s seq=%s journaled=%s outbox=%s outbox_seq=%s took=%s "+
				"version=%s sale=%s starts=%s ends=%s sale_limit=%s",
				meta["epoch"], meta["loaded_state"], meta["replid"], meta["checked_ms"], meta["base_ms"], meta["seq"],
				meta["held"], meta["outbox"], meta["outbox_seq"], meta["took"], meta["version"], meta["state"],
				meta["starts_ms"], meta["ends_ms"], meta["sale_limit"]))
	}
	for sku, value := range stock {
		lines = append(lines, "shelf "+sku+" "+value)
	}
	for buyer, value := range buyers {
		lines = append(lines, "buyer "+buyer+" "+value)
	}
	for _, e := range entries {
		lines = append(lines, "entry "+e.ID+" "+strconv.Quote(string(journaledRecord(e))))
	}
	slices.Sort(lines)
	return lines
}
