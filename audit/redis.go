package audit

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/socket"
)

func openRedis(o Options) (rueidis.Client, error) {
	option := rueidis.ClientOption{
		InitAddress: o.RedisAddrs, Username: o.RedisUsername, Password: o.RedisPassword, ClientName: "flashsale-audit",
		TLSConfig: o.RedisTLS,
		Dialer:    net.Dialer{Timeout: dialTimeout}, ConnWriteTimeout: readTimeout, DisableCache: true,
		ClientSetInfo: rueidis.DisableClientSetInfo,
	}
	if s := o.Sentinel; s.Master != "" {
		option.Sentinel = rueidis.SentinelOption{MasterSet: s.Master, Username: s.Username, Password: s.Password,
			Dialer: option.Dialer, TLSConfig: o.RedisTLS}
	}
	if o.RedisTLS != nil {
		option.DialCtxFn = socket.DialTLS
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// key names one of a bucket's keys.
func (a *Auditor) key(saleID string, number int, part string) string {
	return fmt.Sprintf("%s:{%s:%d}:%s", a.options.Namespace, saleID, number, part)
}

// readBuckets reads the epochs and sequences of the buckets of a sale, the lengths of their journals, and about how many orders
// they have.
func (a *Auditor) readBuckets(ctx context.Context, f *facts, numbers []int) (orders int, err error) {
	for _, number := range numbers {
		b := f.bucket(number)
		err := a.readMeta(ctx, f.sale, number, b)
		if err == nil {
			length := a.redis.B().Xlen().Key(a.key(f.sale, number, "journal")).Build()
			b.journal, err = a.redis.Do(ctx, length).AsInt64()
		}
		var buyers int64
		if err == nil {
			buyers, err = a.redis.Do(ctx, a.redis.B().Hlen().Key(a.key(f.sale, number, "buyers")).Build()).AsInt64()
		}
		if err != nil {
			return 0, fmt.Errorf("read bucket %s:%d: %w", f.sale, number, err)
		}
		orders += int(buyers)
	}
	return orders, nil
}

// readUnits adds the stock and the orders of every bucket of f in Redis.
func (a *Auditor) readUnits(ctx context.Context, f *facts) error {
	for number := range f.buckets {
		err := a.scan(ctx, a.key(f.sale, number, "stock"), func(sku, value string) error {
			return f.noteShelf(number, sku, value)
		})
		if err == nil {
			entries := newEntryParser(f, number)
			err = a.scan(ctx, a.key(f.sale, number, "buyers"), entries.note)
		}
		if err != nil {
			return fmt.Errorf("read bucket %s:%d: %w", f.sale, number, err)
		}
	}
	return nil
}

// scan calls note for every field of a hash, some of them twice where the hash changes meanwhile. It asks for the next page while
// note is at work.
func (a *Auditor) scan(ctx context.Context, key string, note func(field, value string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		page []string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		defer close(answers)
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			scan := a.redis.B().Hscan().Key(key).Cursor(cursor).Count(scanCount).Build()
			page, err := a.redis.Do(ctx, scan).AsScanEntry()
			if err != nil {
				page.Cursor = 0
			}
			cursor = page.Cursor
			select {
			case answers <- answer{page.Elements, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for got := range answers {
		if got.err != nil {
			return got.err
		}
		for i := 0; i+1 < len(got.page); i += 2 {
			if err := note(got.page[i], got.page[i+1]); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (a *Auditor) readMeta(ctx context.Context, saleID string, number int, b *bucketFacts) error {
	read := a.redis.B().Hmget().Key(a.key(saleID, number, "meta")).Field("epoch", "seq").Build()
	values, err := a.redis.Do(ctx, read).ToArray()
	if err != nil {
		return err
	}
	for i, target := range []*int64{&b.redisEpoch, &b.redisSequence} {
		if values[i].IsNil() {
			continue // a bucket without keys in Redis is in epoch 0 and empty
		}
		if *target, err = values[i].AsInt64(); err != nil {
			return err
		}
	}
	return nil
}

// noteShelf parses a field of the stock hash: available, taken, limit, number, moved and returned, with a space between.
func (f *facts) noteShelf(number int, sku, value string) error {
	fields := strings.Split(value, " ")
	if len(fields) != 6 {
		return fmt.Errorf("SKU %s: %q", sku, value)
	}
	s := f.shelf(shelfID{number, sku})
	s.inRedis = true
	for i, target := range []*int64{0: &s.available, 2: &s.redisLimit, 3: &s.redisNumber} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return fmt.Errorf("SKU %s: %q", sku, value)
		}
		if target != nil {
			*target = n
		}
	}
	return nil
}

// numbered returns the SKUs of a bucket by their numbers, by Redis's own account where it has them.
func (f *facts) numbered(bucket int) map[int64]string {
	skus := map[int64]string{}
	for of, s := range f.shelves {
		if of.bucket == bucket && s.inRedis {
			skus[s.redisNumber] = of.sku
		}
	}
	return skus
}

func (a *Auditor) redisVersion(ctx context.Context) (string, error) {
	info, err := a.redis.Do(ctx, a.redis.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return "", fmt.Errorf("read its version: %w", err)
	}
	for line := range strings.Lines(info) {
		if version, found := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); found {
			return version, nil
		}
	}
	return "unknown", nil
}
