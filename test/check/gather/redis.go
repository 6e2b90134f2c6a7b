package gather

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"flashsale/test/check"
)

// Redis is a server, or the node of a cluster that has the keys.
type Redis interface {
	Do(args ...string) (any, error)
}

const sqlBuckets = "SELECT sku, bucket, loaded, settled, released, settled_epoch, given_epoch, state, epoch " +
	"FROM stock WHERE sale_id = ? ORDER BY sku, bucket"

// Buckets returns every bucket of a sale as the database and Redis know it.
func Buckets(ctx context.Context, db *sql.DB, redis Redis, namespace, saleID string) (all []check.Bucket, err error) {
	err = each(ctx, db, sqlBuckets, func(found *sql.Rows) error {
		b := check.Bucket{Sale: saleID}
		var settled, given int64
		if err := found.Scan(&b.SKU, &b.Number, &b.Loaded, &b.Settled, &b.Released, &settled, &given, &b.State,
			&b.Epoch); err != nil {
			return err
		}
		b.InFlight = given - settled
		all = append(all, b)
		return nil
	}, saleID)
	for i := range all {
		if err == nil {
			err = readBucket(redis, Key(namespace, &all[i]), &all[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the buckets of %s: %w", saleID, err)
	}
	return all, nil
}

// Key returns what the bucket's keys in Redis begin with.
func Key(namespace string, b *check.Bucket) string {
	return fmt.Sprintf("%s:{%s:%s:%d}:", namespace, b.Sale, b.SKU, b.Number)
}

// readBucket adds what Redis knows of a bucket.
func readBucket(redis Redis, key string, b *check.Bucket) error {
	meta, err := list(redis, "HMGET", key+"meta", "epoch", "loaded_state", "available", "taken", "returned")
	if err != nil {
		return err
	}
	if len(meta) != 5 {
		return fmt.Errorf("redis says %v of %s", meta, key)
	}
	b.RedisState = meta[1]
	b.RedisEpoch, b.Available = number(meta[0]), number(meta[2])
	b.InFlight += number(meta[3]) - number(meta[4])
	entries, err := list(redis, "HGETALL", key+"buyers")
	if err != nil {
		return err
	}
	b.Owners = []check.Owner{}
	for i := 0; i+1 < len(entries); i += 2 {
		if b.Owners, err = Owners(b.Owners, entries[i], entries[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// Owners appends the owners of a buyer's entries: parts joined by a quotation mark, each with the order's id in base 36 and
// the units, below 0 when they were given back.
func Owners(all []check.Owner, buyer, entries string) ([]check.Owner, error) {
	for _, entry := range strings.Split(strings.Trim(entries, `"`), `"`) {
		fields := strings.Split(entry, ",")
		id, err := strconv.ParseInt(fields[0], 36, 64)
		if err != nil || len(fields) < 2 {
			return nil, fmt.Errorf("an entry of %s: %q", buyer, entry)
		}
		units, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("an entry of %s: %w", buyer, err)
		}
		all = append(all, check.Owner{Buyer: buyer, Order: strconv.FormatInt(id, 10), Units: units})
	}
	return all, nil
}

// list asks for an array of texts; what is absent is "".
func list(redis Redis, args ...string) ([]string, error) {
	answer, err := redis.Do(args...)
	if err != nil {
		return nil, err
	}
	values, _ := answer.([]any)
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i], _ = value.(string)
	}
	return texts, nil
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0 // absent: nothing of it
	}
	return n
}
