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

const sqlBuckets = "SELECT b.bucket, b.state, b.epoch, s.sku, s.number, s.loaded, s.settled, s.released, s.settled_epoch, " +
	"s.given_epoch FROM buckets b JOIN stock s ON s.sale_id = b.sale_id AND s.bucket = b.bucket WHERE b.sale_id = ? " +
	"ORDER BY b.bucket, s.sku"

// Numbers are the SKUs of a sale by the numbers that entries of buyers have.
type Numbers map[int]string

// Buckets returns every bucket of a sale with its counters in the database and in Redis.
func Buckets(ctx context.Context, db *sql.DB, redis Redis, namespace, saleID string) (all []check.Bucket, err error) {
	numbers := Numbers{}
	err = each(ctx, db, sqlBuckets, func(found *sql.Rows) error {
		b, shelf := check.Bucket{Sale: saleID}, check.Shelf{}
		var settled, given int64
		var number int
		if err := found.Scan(&b.Number, &b.State, &b.Epoch, &shelf.SKU, &number, &shelf.Loaded, &shelf.Settled, &shelf.Released,
			&settled, &given); err != nil {
			return err
		}
		shelf.InFlight = given - settled
		numbers[number] = shelf.SKU
		if last := len(all) - 1; last < 0 || all[last].Number != b.Number {
			all = append(all, b)
		}
		of := &all[len(all)-1]
		of.Shelves = append(of.Shelves, shelf)
		return nil
	}, saleID)
	for i := range all {
		if err == nil {
			err = readBucket(redis, Key(namespace, &all[i]), numbers, &all[i])
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
func readBucket(redis Redis, key string, numbers Numbers, b *check.Bucket) error {
	meta, err := list(redis, "HMGET", key+"meta", "epoch", "loaded_state")
	if err != nil {
		return err
	}
	if len(meta) != 2 {
		return fmt.Errorf("redis answers %v for %s", meta, key)
	}
	b.RedisEpoch, b.RedisState = Number(meta[0]), meta[1]
	for i := range b.Shelves {
		value, err := list(redis, "HMGET", key+"stock", b.Shelves[i].SKU)
		if err == nil {
			err = Stock(&b.Shelves[i], strings.Join(value, ""))
		}
		if err != nil {
			return fmt.Errorf("the stock of %s: %w", key, err)
		}
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

// Stock adds the counters that Redis has of a SKU to those of the database: available, taken, limit, number, moved and
// returned, decimal, with one space between.
func Stock(to *check.Shelf, value string) error {
	counters := strings.Split(value, " ")
	if len(counters) != 6 {
		return fmt.Errorf("%s is %q", to.SKU, value)
	}
	to.Available = Number(counters[0])
	to.InFlight += Number(counters[1]) - Number(counters[5])
	return nil
}

// Owners appends the owners of a buyer's entries: parts joined by a quotation mark, each with the order's id in base 36 and
// its lines, after a minus when their units were given back.
func Owners(all []check.Owner, numbers Numbers, buyer, entries string) ([]check.Owner, error) {
	for _, entry := range strings.Split(entries, `"`) {
		fields := strings.Split(entry, ",")
		id, err := strconv.ParseInt(fields[0], 36, 64)
		if err != nil || len(fields) < 5 {
			return nil, fmt.Errorf("an entry of %s: %q", buyer, entry)
		}
		text, released := strings.CutPrefix(fields[1], "-")
		lines, err := numbers.lines(text)
		if err != nil {
			return nil, fmt.Errorf("an entry of %s: %w", buyer, err)
		}
		all = append(all, check.Owner{Buyer: buyer, Order: strconv.FormatInt(id, 10), Lines: lines, Released: released})
	}
	return all, nil
}

// lines reads the lines of an entry: numbers in base 36 joined by a plus sign, each with a colon and the quantity unless that
// is 1.
func (n Numbers) lines(text string) (lines []check.Line, err error) {
	for one := range strings.SplitSeq(text, "+") {
		short, times, several := strings.Cut(one, ":")
		number, err := strconv.ParseInt(short, 36, 32)
		line := check.Line{SKU: n[int(number)], Quantity: 1}
		if err == nil && several {
			line.Quantity, err = strconv.Atoi(times)
		}
		if err != nil || line.SKU == "" {
			return nil, fmt.Errorf("line %q", one)
		}
		lines = append(lines, line)
	}
	return lines, nil
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
