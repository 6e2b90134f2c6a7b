package gather

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flashsale/test/check"
)

// Redis is a server, or the node of a cluster that has the keys.
type Redis interface {
	Do(args ...string) (any, error)
}

const (
	sqlBuckets = "SELECT bucket, state, epoch FROM buckets WHERE sale_id = ? ORDER BY bucket"
	sqlStock   = "SELECT bucket, sku, loaded, settled, released, settled_epoch, given_epoch FROM stock " +
		"WHERE sale_id = ? ORDER BY bucket, sku"
)

// Buckets returns every bucket of a sale with its counters in the database and in Redis.
func Buckets(ctx context.Context, db *sql.DB, redis Redis, namespace, saleID string) (all []check.Bucket, err error) {
	places := map[int]int{}
	err = each(ctx, db, sqlBuckets, func(found *sql.Rows) error {
		b := check.Bucket{Sale: saleID}
		err := found.Scan(&b.Number, &b.State, &b.Epoch)
		places[b.Number] = len(all)
		all = append(all, b)
		return err
	}, saleID)
	if err == nil {
		err = each(ctx, db, sqlStock, func(found *sql.Rows) error {
			var s check.Shelf
			var number int
			var settled, given int64
			if err := found.Scan(&number, &s.SKU, &s.Loaded, &s.Settled, &s.Released, &settled, &given); err != nil {
				return err
			}
			s.InFlight = given - settled
			b := &all[places[number]]
			b.Shelves = append(b.Shelves, s)
			return nil
		}, saleID)
	}
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

// Key returns the prefix of the bucket's keys in Redis.
func Key(namespace string, b *check.Bucket) string {
	return fmt.Sprintf("%s:{%s:%d}:", namespace, b.Sale, b.Number)
}

// readBucket adds a bucket's members from Redis.
func readBucket(redis Redis, key string, b *check.Bucket) error {
	meta, err := list(redis, "HMGET", key+"meta", "epoch", "loaded_state")
	if err != nil {
		return err
	}
	if len(meta) != 2 {
		return fmt.Errorf("redis answers %v for %s", meta, key)
	}
	b.RedisEpoch, b.RedisState = Number(meta[0]), meta[1]
	stock, err := list(redis, "HGETALL", key+"stock")
	if err != nil {
		return err
	}
	numbers, err := Shelves(b, stock)
	if err != nil {
		return err
	}
	entries, err := list(redis, "HGETALL", key+"buyers")
	if err != nil {
		return err
	}
	b.Owners = []check.Owner{}
	for i := 0; i+1 < len(entries); i += 2 {
		if b.Owners, err = Owners(b.Owners, numbers, entries[i], entries[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// Shelves adds to a bucket what Redis has of its SKUs: pairs of a SKU and "AVAILABLE TAKEN LIMIT NUMBER MOVED RETURNED". A
// SKU that the database does not have becomes a shelf of its own. It returns the SKUs by their numbers.
func Shelves(b *check.Bucket, pairs []string) (map[int64]string, error) {
	numbers := map[int64]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		fields := strings.Split(pairs[i+1], " ")
		if len(fields) != 6 {
			return nil, fmt.Errorf("SKU %s of a bucket: %q", pairs[i], pairs[i+1])
		}
		at := slices.IndexFunc(b.Shelves, func(s check.Shelf) bool { return s.SKU == pairs[i] })
		if at < 0 {
			at = len(b.Shelves)
			b.Shelves = append(b.Shelves, check.Shelf{SKU: pairs[i]})
		}
		b.Shelves[at].Available += Number(fields[0])
		b.Shelves[at].InFlight += Number(fields[1]) - Number(fields[5])
		numbers[Number(fields[3])] = pairs[i]
	}
	return numbers, nil
}

// Owners appends the owners of a buyer's entries: parts joined by a quotation mark, each with the order's id in base 36 and its
// lines, joined by +: the number of a SKU in base 36, and :quantity unless that is 1. A minus before the lines says that they
// were given back.
func Owners(all []check.Owner, numbers map[int64]string, buyer, entries string) ([]check.Owner, error) {
	for _, entry := range strings.Split(strings.Trim(entries, `"`), `"`) {
		fields := strings.Split(entry, ",")
		id, err := strconv.ParseInt(fields[0], 36, 64)
		if err != nil || len(fields) < 2 {
			return nil, fmt.Errorf("an entry of %s: %q", buyer, entry)
		}
		lines, gone := strings.CutPrefix(fields[1], "-")
		owner := check.Owner{Buyer: buyer, Order: strconv.FormatInt(id, 10), Gone: gone}
		for _, text := range strings.Split(lines, "+") {
			line, err := ownedLine(numbers, text)
			if err != nil {
				return nil, fmt.Errorf("an entry of %s: %w", buyer, err)
			}
			owner.Lines = append(owner.Lines, line)
		}
		all = append(all, owner)
	}
	return all, nil
}

func ownedLine(numbers map[int64]string, text string) (line check.Line, err error) {
	name, quantity, several := strings.Cut(text, ":")
	number, err := strconv.ParseInt(name, 36, 64)
	line = check.Line{SKU: numbers[number], Quantity: 1}
	if err == nil && several {
		line.Quantity, err = strconv.Atoi(quantity)
	}
	if line.SKU == "" {
		line.SKU = "number " + name
	}
	return line, err
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

// Number reads a counter of Redis; an absent one counts as 0.
func Number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
