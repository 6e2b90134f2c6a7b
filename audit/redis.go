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
func (a *Auditor) key(saleID, sku string, number int, part string) string {
	return fmt.Sprintf("%s:{%s:%s:%d}:%s", a.options.Namespace, saleID, sku, number, part)
}

// readRedis adds Redis's values of every bucket of a SKU.
func (a *Auditor) readRedis(ctx context.Context, f *facts) error {
	for number, b := range f.buckets {
		if err := a.readBucket(ctx, f, number, b); err != nil {
			return fmt.Errorf("read bucket %s:%s:%d in redis: %w", f.sale, f.sku, number, err)
		}
	}
	return nil
}

func (a *Auditor) readBucket(ctx context.Context, f *facts, number int, b *bucketFacts) error {
	if err := a.readMeta(ctx, f, number, b); err != nil {
		return err
	}
	length := a.redis.B().Xlen().Key(a.key(f.sale, f.sku, number, "journal")).Build()
	journal, err := a.redis.Do(ctx, length).AsInt64()
	if err != nil {
		return err
	}
	f.journal += journal
	for cursor := uint64(0); ; {
		scan := a.redis.B().Hscan().Key(a.key(f.sale, f.sku, number, "buyers")).Cursor(cursor).Count(scanCount).Build()
		page, err := a.redis.Do(ctx, scan).AsScanEntry()
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(page.Elements); i += 2 {
			if err := f.noteEntries(number, page.Elements[i], page.Elements[i+1]); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

func (a *Auditor) readMeta(ctx context.Context, f *facts, number int, b *bucketFacts) error {
	read := a.redis.B().Hmget().Key(a.key(f.sale, f.sku, number, "meta")).Field("epoch", "seq", "available").Build()
	values, err := a.redis.Do(ctx, read).ToArray()
	if err != nil {
		return err
	}
	for i, target := range []*int64{&b.redisEpoch, &b.redisSequence, &b.redisAvailable} {
		if values[i].IsNil() {
			continue // a bucket without keys in Redis is in epoch 0 and empty
		}
		if *target, err = values[i].AsInt64(); err != nil {
			return err
		}
	}
	return nil
}

// noteEntries parses a buyer's value: entries joined by `"`, each `id in base 36,quantity,key,…`; a negative quantity
// no longer counts.
func (f *facts) noteEntries(number int, buyer, value string) error {
	for _, entry := range strings.Split(value, `"`) {
		fields := strings.SplitN(entry, ",", 3)
		if len(fields) < 3 {
			return fmt.Errorf("buyer %s: entry %q", buyer, entry)
		}
		id, badID := strconv.ParseInt(fields[0], 36, 64)
		quantity, badQuantity := strconv.ParseInt(fields[1], 10, 64)
		if badID != nil || badQuantity != nil {
			return fmt.Errorf("buyer %s: entry %q", buyer, entry)
		}
		f.entries[sale.OrderID(id)] = row{bucket: number, buyer: buyer, quantity: quantity}
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
