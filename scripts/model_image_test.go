package scripts

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// image is the whole state as text, for comparison with Redis's.
func (m *stockModel) image() []string {
	var lines []string
	if m.here {
		lines = append(lines,
			fmt.Sprintf("meta epoch=%d state=%s replid=%s checked=%d base=%d seq=%d journaled=%d outbox=%d outbox_seq=%d "+
				"took=%s version=%d sale=%s starts=%d ends=%d sale_limit=%d",
				m.epoch, m.loaded, m.replid, m.checked, m.base, m.seq, m.journaled, m.outbox, m.outboxSeq, m.took,
				m.version, m.state, m.starts, m.ends, m.saleLimit))
	}
	for sku, s := range m.shelves {
		lines = append(lines, fmt.Sprintf("shelf %s %d %d %d %d %d %d", sku, s.available, s.taken, s.limit, s.number, s.moved,
			s.returned))
	}
	for buyer, entries := range m.buyers {
		var value []string
		for _, e := range entries {
			sign := map[bool]string{true: "-"}[e.released]
			value = append(value, fmt.Sprintf("%s,%s%s,%s,%s,%s", base36(e.orderID), sign, textOf(e.lines), e.key,
				base36(e.sequence), base36(e.sinceMS)))
		}
		lines = append(lines, "buyer "+buyer+" "+strings.Join(value, `"`))
	}
	for _, j := range m.journal {
		lines = append(lines, "entry "+j.id()+" "+strconv.Quote(j.record))
	}
	slices.Sort(lines)
	return lines
}

func base36[N ~int64](n N) string { return strconv.FormatInt(int64(n), 36) }

// textOf writes lines as an entry has them.
func textOf(lines []sale.Line) string {
	sorted := slices.SortedFunc(slices.Values(lines), func(a, b sale.Line) int { return a.Number - b.Number })
	var texts []string
	for _, line := range sorted {
		text := base36(int64(line.Number))
		if line.Quantity != 1 {
			text += fmt.Sprintf(":%d", line.Quantity)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "+")
}

func bucketOfHead(head string) sale.Bucket {
	fields := strings.Fields(head)
	number, err := strconv.Atoi(fields[1])
	if err != nil {
		panic(err)
	}
	return sale.Bucket{Sale: fields[0], Number: number}
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
			fmt.Sprintf("meta epoch=%s state=%s replid=%s checked=%s base=%s seq=%s journaled=%s outbox=%s outbox_seq=%s "+
				"took=%s version=%s sale=%s starts=%s ends=%s sale_limit=%s",
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
