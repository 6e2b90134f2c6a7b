package audit

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

func openRedis(o Options) (rueidis.Client, error) {
	option := rueidis.ClientOption{
		InitAddress: o.RedisAddrs, Username: o.RedisUsername, Password: o.RedisPassword, ClientName: "flashsale-audit",
		Dialer: net.Dialer{Timeout: dialTimeout}, ConnWriteTimeout: readTimeout, DisableCache: true,
		ClientSetInfo: rueidis.DisableClientSetInfo,
	}
	if o.RedisTLS {
		option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, fmt.Errorf("connect to redis: %w", err)
	}
	return client, nil
}

// key names one of a bucket's keys.
func (a *Auditor) key(saleID string, number int, part string) string {
	return fmt.Sprintf("%s:{%s:%d}:%s", a.options.Namespace, saleID, number, part)
}

// readRedis adds Redis's values of every bucket of a sale.
func (a *Auditor) readRedis(ctx context.Context, f *facts) error {
	for number, b := range f.buckets {
		if err := a.readBucket(ctx, f, number, b); err != nil {
			return fmt.Errorf("read bucket %s:%d in redis: %w", f.sale, number, err)
		}
	}
	return nil
}

func (a *Auditor) readBucket(ctx context.Context, f *facts, number int, b *bucketFacts) error {
	err := a.readMeta(ctx, f.sale, number, b)
	if err == nil {
		length := a.redis.B().Xlen().Key(a.key(f.sale, number, "journal")).Build()
		b.journal, err = a.redis.Do(ctx, length).AsInt64()
	}
	if err == nil {
		err = a.scan(ctx, a.key(f.sale, number, "stock"), func(sku, value string) error {
			return f.noteShelf(number, sku, value)
		})
	}
	if err == nil {
		skus := f.numbered(number)
		err = a.scan(ctx, a.key(f.sale, number, "buyers"), func(buyer, value string) error {
			return f.noteEntries(number, skus, buyer, value)
		})
	}
	return err
}

// scan calls note for every field of a hash.
func (a *Auditor) scan(ctx context.Context, key string, note func(field, value string) error) error {
	for cursor := uint64(0); ; {
		scan := a.redis.B().Hscan().Key(key).Cursor(cursor).Count(scanCount).Build()
		page, err := a.redis.Do(ctx, scan).AsScanEntry()
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(page.Elements); i += 2 {
			if err := note(page.Elements[i], page.Elements[i+1]); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
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

// noteEntries parses a buyer's value: entries joined by `"`, each `id in base 36,lines,key,…`. The lines are joined by +,
// each the number of a SKU in base 36 and :quantity unless that is 1; a minus before them: the order no longer counts.
func (f *facts) noteEntries(bucket int, skus map[int64]string, buyer, value string) error {
	for _, entry := range strings.Split(value, `"`) {
		fields := strings.SplitN(entry, ",", 3)
		if len(fields) < 3 {
			return fmt.Errorf("buyer %s: entry %q", buyer, entry)
		}
		id, err := strconv.ParseInt(fields[0], 36, 64)
		lines, gone := strings.CutPrefix(fields[1], "-")
		r := row{bucket: bucket, buyer: buyer, gone: gone}
		for _, text := range strings.Split(lines, "+") {
			number, quantity, several := strings.Cut(text, ":")
			n, bad := strconv.ParseInt(number, 36, 64)
			l := line{sku: skus[n], quantity: 1}
			if several && bad == nil {
				l.quantity, bad = strconv.ParseInt(quantity, 10, 64)
			}
			if bad != nil || err != nil {
				return fmt.Errorf("buyer %s: entry %q", buyer, entry)
			}
			if l.sku == "" {
				l.sku = "number " + number
			}
			r.lines = append(r.lines, l)
		}
		sortLines(r.lines)
		f.entries[sale.OrderID(id)] = r
	}
	return nil
}

func (a *Auditor) redisVersion(ctx context.Context) (string, error) {
	info, err := a.redis.Do(ctx, a.redis.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return "", fmt.Errorf("read the version of redis: %w", err)
	}
	for line := range strings.Lines(info) {
		if version, found := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); found {
			return version, nil
		}
	}
	return "unknown", nil
}
