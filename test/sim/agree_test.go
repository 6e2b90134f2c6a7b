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
	agreeBucket = "sim:{sale:phone:0}:"
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
	for _, key := range []string{"meta", "buyers"} {
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
			number(p.nowMS-1000), number(p.nowMS+100_000), pick(p.chance, "1", "2", "3"))
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

func (p *pair) load() {
	if p.meta("epoch") > 0 && p.chance.below(4) > 0 {
		return
	}
	keys := func() []string { return []string{"meta", "buyers", "journal"} }
	epoch := p.near(p.meta("epoch") + 1)
	p.script(scripts.LoadScript(), keys(), "begin", epoch, number(int64(p.chance.between(5, 60))), p.near(p.meta("version")+1),
		"open",
		number(p.nowMS-1000), number(p.nowMS+100_000), "2", pick(p.chance, "0", "1"), number(int64(p.chance.below(5))))
	p.script(scripts.LoadScript(), keys(), "buyers", epoch, "buyer-1", "abc,1,key,0,0", "buyer-2", `abd,-1,,0,0"abe,1,,0,0`)
	p.script(scripts.LoadScript(), keys(), "open", epoch, pick(p.chance, "2", "2", "2", "1"))
}

func (p *pair) someTrims(least int) (args []string) {
	for range p.chance.between(least, 2) {
		if len(p.trims) > 0 {
			args = append(args, pick(p.chance, p.trims...), "1")
		}
	}
	return args
}

func (p *pair) reserve() {
	trims := p.someTrims(0)
	n := p.chance.between(0, 4)
	args := []string{
		p.near(p.meta("epoch")), p.near(p.meta("seq")), number(p.nowMS + int64(p.chance.between(-20, 900))),
		pick(p.chance, "0", "0", "1"),
		pick(p.chance, "2", "100000"), "sale phone 0", strconv.Itoa(len(trims) / 2), strconv.Itoa(n), "1",
	}
	var buyers, heads, quantities []string
	var lines string
	for range n {
		id, quantity := p.ids, pick(p.chance, "1", "1", "2")
		if p.chance.one(8) {
			id -= int64(p.chance.below(20)) // asked again
		}
		p.ids++
		buyer, key := fmt.Sprint("buyer-", p.chance.below(30)), pick(p.chance, "", "", "key", "other key, of two")
		buyers, quantities = append(buyers, buyer), append(quantities, quantity)
		heads = append(heads, strconv.FormatInt(id, 36)+","+quantity+","+key)
		lines += strings.TrimSpace(fmt.Sprint(id, " ", quantity, " ", buyer, " ", key)) + "\n"
	}
	args = append(args, lines, pick(p.chance, "0", "1", "3"), pick(p.chance, "1000", "3600000"))
	args = slices.Concat(args, trims, buyers, heads, quantities)
	reply, _ := p.script(scripts.ReserveScript(), []string{"meta", "buyers", "journal"}, args...).([]any)
	if len(reply) != 10 || reply[6] == "" {
		return
	}
	p.trims = append(p.trims, reply[6].(string))
	verdicts := strings.Split(reply[9].(string), "\n")
	for i := range buyers {
		if verdicts[0] == "all" || verdicts[i] == "T" {
			id, _, _ := strings.Cut(heads[i], ",")
			p.heads = append(p.heads, buyers[i]+" "+id+","+quantities[i])
		}
	}
}

func (p *pair) release() {
	first := p.near(p.meta("outbox") + 1)
	var buyers, heads, quantities []string
	for range p.chance.between(0, 2) {
		if len(p.heads) == 0 {
			break
		}
		buyer, head, _ := strings.Cut(pick(p.chance, p.heads...), " ")
		_, quantity, _ := strings.Cut(head, ",")
		sign := pick(p.chance, "", "", "-") // a refused one
		buyers, heads, quantities = append(buyers, buyer), append(heads, head), append(quantities, sign+quantity)
	}
	args := []string{p.near(p.meta("epoch")), p.near(p.meta("seq")), first, "1", pick(p.chance, "0", "3")}
	p.script(scripts.ReleaseScript(), []string{"meta", "buyers"}, slices.Concat(args, buyers, heads, quantities)...)
}

func (p *pair) transfer() {
	p.ids++
	p.script(scripts.TransferScript(), []string{"meta", "journal"}, p.near(p.meta("epoch")), p.near(p.meta("seq")),
		number(p.nowMS+int64(p.chance.between(-20, 900))), pick(p.chance, "1", "100000"), "sale phone 0", number(p.ids), "1",
		number(int64(p.chance.between(1, 5))), number(int64(p.chance.below(3))))
}

// plainCommand draws a command that the engine sends by itself, or that a script could.
func (p *pair) plainCommand() {
	key := agreeBucket + pick(p.chance, "meta", "buyers", "journal", "text", "members", "gone")
	id := "9-1"
	if len(p.trims) > 0 {
		id = pick(p.chance, p.trims...)
	}
	life, _, _ := strings.Cut(id, "-")
	switch p.chance.below(18) {
	case 0:
		p.do("PING")
	case 1:
		p.do("HMGET", key, "epoch", "available", "nothing")
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
