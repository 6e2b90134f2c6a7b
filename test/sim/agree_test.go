package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/scripts"
	"flashsale/test/harness"
)

// A real Redis and the model get the same commands and have to give the same answers: the engine's scripts, with arguments
// drawn at random, and the plain commands beside them. In this test the scripts read the time from a key, so that both
// servers have the same time.

const (
	agreeCalls  = 4000
	agreeClock  = "clock"
	agreeBucket = "sim:{sale:0}:"
)

// pair is both servers.
type pair struct {
	t      *testing.T
	real   *harness.RedisServer
	model  *redisServer
	chance *chance
	ids    int64
	nowMS  int64
	trims  []string // entry ids seen
	heads  []string // heads and buyers of orders taken
}

func TestModelAgreesWithRealRedis(t *testing.T) {
	server := harness.Redis(t)
	replid := server.Info(t, "replication")["master_replid"]
	p := &pair{
		t: t, real: server, model: newRedisServer(time.Now, replid), chance: newChance(*firstSeed, "agree"),
		ids: 1_000_000, nowMS: 1_700_000_000_000,
	}
	t.Logf("again: go test ./test/sim -run TestModelAgreesWithRealRedis -sim.seed=%d", *firstSeed)
	for range agreeCalls {
		p.nowMS += int64(p.chance.below(40)) - 2
		p.do("HSET", agreeClock, "s", strconv.FormatInt(p.nowMS/1000, 10), "us", strconv.FormatInt(p.nowMS%1000*1000, 10))
		p.draw()
	}
	for _, key := range []string{"meta", "stock", "buyers"} {
		p.do("HSCAN", agreeBucket+key, "0", "COUNT", "100000")
	}
	p.do("XRANGE", agreeBucket+"journal", "-", "+")
	require.NotEmpty(t, p.heads, "nothing was ever taken: the arguments are drawn badly")
}

// do gives both the same command and compares.
func (p *pair) do(args ...string) any {
	want, err := p.real.Do(args...)
	if err != nil {
		want = "error " + strings.Fields(err.Error())[0]
	}
	got := plain(p.model.execute(args))
	if strings.EqualFold(args[0], "HSCAN") {
		want, got = sortedPairs(want), sortedPairs(got)
	}
	require.Equal(p.t, want, got, "%.2000q", args)
	return got
}

// plain converts a reply of the model to the harness's form of a real reply.
func plain(reply any) any {
	switch r := reply.(type) {
	case status:
		return string(r)
	case redisFault:
		return "error " + strings.Fields(string(r))[0]
	case []any:
		list := make([]any, len(r))
		for i := range r {
			list[i] = plain(r[i])
		}
		return list
	}
	return reply
}

func sortedPairs(reply any) []string {
	list, is := reply.([]any)
	if !is {
		return []string{fmt.Sprint(reply)}
	}
	fields := list[1].([]any)
	var sorted []string
	for i := 0; i < len(fields); i += 2 {
		sorted = append(sorted, fmt.Sprint(fields[i], "=", fields[i+1]))
	}
	slices.Sort(sorted)
	return sorted
}

// script sends a script by its hash, and now and then by its source, or only loads it.
func (p *pair) script(s scripts.Script, keys []string, args ...string) any {
	source := strings.ReplaceAll(s.Source, "call('TIME')", "call('HMGET', '"+agreeClock+"', 's', 'us')")
	name, what := "EVALSHA", shaOf(source)
	switch p.chance.below(12) {
	case 0:
		name, what = "EVAL", source
	case 1:
		p.do("SCRIPT", "EXISTS", what)
		p.do("SCRIPT", "LOAD", source)
	}
	for i := range keys {
		keys[i] = agreeBucket + keys[i]
	}
	return p.do(append(append([]string{name, what, strconv.Itoa(len(keys))}, keys...), args...)...)
}

// meta reads a field from the model; the real server has the same value.
func (p *pair) meta(field string) int64 {
	h, _ := p.model.data.keys[agreeBucket+"meta"].(hash)
	n, _ := strconv.ParseInt(h[field], 10, 64)
	return n
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// near draws a number at or beside another.
func (p *pair) near(n int64) string {
	return number(n + pick(p.chance, int64(0), 0, 0, 0, 0, 0, 1, -1))
}

func (p *pair) draw() {
	switch p.chance.below(20) {
	case 0:
		p.load()
	case 1:
		p.script(scripts.WindowScript(), []string{"meta"}, p.near(p.meta("version")+1),
			pick(p.chance, "open", "open", "open", "paused", "closed"),
			number(p.nowMS-1000), number(p.nowMS+100_000), pick(p.chance, "0", "0", "3"))
	case 2:
		if p.chance.one(6) {
			p.script(scripts.CloseScript(), []string{"meta"}, p.near(p.meta("epoch")))
		}
	case 3, 4, 5:
		p.release()
	case 6, 7:
		p.transfer()
	case 8:
		p.plainCommand()
	case 9:
		if args := p.someTrims(1); len(args) > 0 {
			p.script(scripts.TrimScript(), []string{"meta", "journal"}, args...)
		}
	default:
		p.reserve()
	}
}

// The SKUs of the sale, by their numbers less one. Redis does not know the last one at first.
var agreeSKUs = []string{"sku-a", "sku-b", "sku-c", "sku-d"}

func (p *pair) load() {
	if p.meta("epoch") > 0 && p.chance.below(4) > 0 {
		return
	}
	keys := func() []string { return []string{"meta", "stock", "buyers", "journal"} }
	epoch := p.near(p.meta("epoch") + 1)
	p.script(scripts.LoadScript(), keys(), "begin", epoch, p.near(p.meta("version")+1), "open", number(p.nowMS-1000),
		number(p.nowMS+100_000), pick(p.chance, "0", "0", "4"), pick(p.chance, "0", "1"), number(int64(p.chance.below(5))))
	stock := []string{"stock", epoch}
	for i, sku := range agreeSKUs[:3] {
		stock = append(stock, sku, fmt.Sprintf("%d 0 %d %d 0 0", p.chance.between(0, 40), p.chance.between(1, 3), i+1))
	}
	p.script(scripts.LoadScript(), keys(), stock...)
	p.script(scripts.LoadScript(), keys(), "buyers", epoch, "buyer-1", "abc,1,key,0,0", "buyer-2",
		`abd,-1,,0,0"abe,1+2:2,,0,0`)
	p.script(scripts.LoadScript(), keys(), "open", epoch, pick(p.chance, "3", "3", "3", "2"), pick(p.chance, "2", "2", "2", "1"))
}

func (p *pair) someTrims(least int) (args []string) {
	for range p.chance.between(least, 2) {
		if len(p.trims) > 0 {
			args = append(args, pick(p.chance, p.trims...), "1")
		}
	}
	return args
}

// someSKUs draws one to three SKUs, by their places, and a quantity for each.
func (p *pair) someSKUs() (skus, quantities []int) {
	first := p.chance.below(3)
	for i := range pick(p.chance, 1, 1, 2, 3) {
		at := (first + i) % 3
		if p.chance.one(40) {
			at = 3
		}
		if slices.Contains(skus, at) {
			continue
		}
		skus, quantities = append(skus, at), append(quantities, pick(p.chance, 1, 1, 2))
	}
	return skus, quantities
}

// entryLines are the lines of a buyer's entry: numbers that rise, and quantities other than 1.
func entryLines(skus, quantities []int) string {
	var texts []string
	for at := range agreeSKUs {
		if i := slices.Index(skus, at); i >= 0 {
			text := strconv.FormatInt(int64(at+1), 36)
			if quantities[i] > 1 {
				text += ":" + strconv.Itoa(quantities[i])
			}
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "+")
}

// digits writes a number below 4096 as the two digits of base 64 that reserve.lua reads.
func digits(n int) string { return string([]byte{byte('0' + n/64), byte('0' + n%64)}) }

func (p *pair) reserve() {
	trims := p.someTrims(0)
	n := p.chance.between(0, 4)
	var names, buyers, heads []string
	var counts, specs, lines string
	for range n {
		id := p.ids
		if p.chance.one(8) {
			id -= int64(p.chance.below(20)) // asked again
		}
		p.ids++
		skus, quantities := p.someSKUs()
		counts += string(rune('0' + len(skus)))
		var texts []string
		for i, at := range skus {
			sku := agreeSKUs[at]
			if !slices.Contains(names, sku) {
				names = append(names, sku)
			}
			specs += digits(slices.Index(names, sku)+1) + digits(quantities[i])
			texts = append(texts, fmt.Sprint(sku, ":", quantities[i], ":100"))
		}
		buyer, key := fmt.Sprint("buyer-", p.chance.below(30)), pick(p.chance, "", "", "key", "other key, of two")
		buyers = append(buyers, buyer)
		heads = append(heads, strconv.FormatInt(id, 36)+","+entryLines(skus, quantities)+","+key)
		lines += strings.TrimSpace(fmt.Sprint(id, " ", strings.Join(texts, ","), " ", buyer, " ", key)) + "\n"
	}
	args := []string{
		p.near(p.meta("epoch")), p.near(p.meta("seq")), number(p.nowMS + int64(p.chance.between(-20, 900))),
		pick(p.chance, "0", "0", "1"), pick(p.chance, "2", "100000"), "sale 0", strconv.Itoa(len(trims) / 2), strconv.Itoa(n),
		strconv.Itoa(len(names)), counts, specs, lines, pick(p.chance, "0", "1", "3"), pick(p.chance, "1000", "3600000"),
		number(oneIf(repeated(buyers))),
	}
	args = slices.Concat(args, trims, names, buyers, heads)
	reply, _ := p.script(scripts.ReserveScript(), []string{"meta", "stock", "buyers", "journal"}, args...).([]any)
	if len(reply) != 9 || reply[5] == "" {
		return
	}
	p.trims = append(p.trims, reply[5].(string))
	verdicts := strings.Split(reply[8].(string), "\n")
	for i := range buyers {
		if verdicts[0] == scripts.AllTaken || verdicts[i] == "T" {
			id, _, _ := strings.Cut(heads[i], ",")
			p.heads = append(p.heads, buyers[i]+" "+id)
		}
	}
}

// repeated reports whether a name is there twice.
func repeated(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(slices.Compact(sorted)) < len(names)
}

// release draws a page: units of some SKUs, of which Redis may learn the last, and orders; or a take alone.
func (p *pair) release() {
	first := p.near(p.meta("outbox") + 1)
	var names, units, begins, buyers, ids []string
	for i, sku := range agreeSKUs {
		if p.chance.one(2) {
			names, units = append(names, sku), append(units, number(int64(p.chance.between(0, 3))))
			begins = append(begins, pick(p.chance, "", fmt.Sprint("2 ", i+1)))
		}
	}
	take := p.chance.one(3)
	for range p.chance.between(0, 2) {
		if take || len(p.heads) == 0 {
			break
		}
		buyer, id, _ := strings.Cut(pick(p.chance, p.heads...), " ")
		buyers, ids = append(buyers, buyer), append(ids, pick(p.chance, "", "", "-")+id) // the last is a refused one
	}
	args := []string{p.near(p.meta("epoch")), p.near(p.meta("seq")), first, "1", number(oneIf(take)), strconv.Itoa(len(names)),
		strconv.Itoa(len(ids))}
	p.script(scripts.ReleaseScript(), []string{"meta", "stock", "buyers"},
		slices.Concat(args, names, units, begins, buyers, ids)...)
}

func (p *pair) transfer() {
	p.ids++
	skus, _ := p.someSKUs()
	var names, asked, kept []string
	for _, at := range skus {
		names = append(names, agreeSKUs[at])
		asked, kept = append(asked, number(int64(p.chance.between(1, 5)))), append(kept, number(int64(p.chance.below(3))))
	}
	args := []string{p.near(p.meta("epoch")), p.near(p.meta("seq")), number(p.nowMS + int64(p.chance.between(-20, 900))),
		pick(p.chance, "1", "100000"), "sale 0", number(p.ids), "1"}
	p.script(scripts.TransferScript(), []string{"meta", "stock", "journal"}, slices.Concat(args, names, asked, kept)...)
}

// plainCommand draws a command that the engine sends by itself, or that a script could.
func (p *pair) plainCommand() {
	key := agreeBucket + pick(p.chance, "meta", "stock", "buyers", "journal", "text", "members", "gone")
	id := "9-1"
	if len(p.trims) > 0 {
		id = pick(p.chance, p.trims...)
	}
	life, _, _ := strings.Cut(id, "-")
	switch p.chance.below(18) {
	case 0:
		p.do("PING")
	case 1:
		p.do("HMGET", key, "epoch", "sku-a", "nothing")
	case 2:
		p.do("HGET", key, "epoch")
	case 3:
		p.do("XRANGE", key, id, id, "COUNT", "1")
	case 4:
		p.do("XRANGE", key, life, life, "COUNT", "1")
	case 5:
		p.do("XRANGE", key, "-", "+", "COUNT", "3")
	case 6:
		p.do("XLEN", key)
	case 7:
		p.do("TYPE", key)
	case 8:
		p.do("EXISTS", key)
	case 9:
		p.do("SETNX", agreeBucket+"text", "mine")
	case 10:
		p.do("GET", key)
	case 11:
		p.do("SADD", agreeBucket+"members", "a", fmt.Sprint(p.chance.below(3)))
	case 12:
		p.do("SMISMEMBER", key, "a", "0", "z")
	case 13:
		p.do("SCARD", key)
	case 14:
		p.do("XADD", agreeBucket+pick(p.chance, "journal", "text", "gone"), "0-1", "r", "too old")
	case 15:
		p.do("HLEN", key)
	case 16:
		p.do("UNLINK", agreeBucket+pick(p.chance, "text", "members", "gone"))
	case 17:
		p.do("HDEL", key, "buyer-1", "nothing")
	}
}
