package scripts

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// StockReadings returns what Redis has of each bucket and of some SKUs in it, in the order asked; of all its SKUs, in no order,
// when skus is nil. It reads a bucket's meta hash first and its stock hash second. A field that is not the engine's makes its
// shelf foreign and is no error.
func (r *Redis) StockReadings(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error) {
	readings := make([]sale.StockReading, len(buckets))
	err := r.pipeline(ctx, 2*len(buckets), func(c rueidis.Client, i int) rueidis.Completed {
		keys := r.Keys(buckets[i/2])
		switch {
		case i%2 == 0:
			return metaReading(c, keys.Meta)
		case skus == nil:
			return c.B().Hgetall().Key(keys.Stock).Build()
		}
		return c.B().Hmget().Key(keys.Stock).Field(skus...).Build()
	}, func(i int, result rueidis.RedisResult) (err error) {
		keys, reading := r.Keys(buckets[i/2]), &readings[i/2]
		switch {
		case i%2 == 0:
			reading.Reading, err = readingOf(result)
			return foreignKind("key "+keys.Meta, err)
		case skus == nil:
			reading.Shelves, err = allShelves(result)
		default:
			reading.Shelves, err = shelvesOf(skus, result)
		}
		return foreignKind("key "+keys.Stock, err)
	})
	if err == nil {
		err = r.readOldest(ctx, buckets, func(i int) *sale.Reading { return &readings[i].Reading })
	}
	if err != nil {
		return nil, fmt.Errorf("read the stock of %d buckets: %w", len(buckets), err)
	}
	return readings, nil
}

// allShelves reads a reply of HGETALL.
func allShelves(result rueidis.RedisResult) ([]sale.ShelfReading, error) {
	values, err := result.AsStrMap()
	shelves := make([]sale.ShelfReading, 0, len(values))
	for sku, value := range values {
		shelves = append(shelves, shelfOf(sku, value))
	}
	return shelves, err
}

// shelvesOf reads a reply of HMGET for skus.
func shelvesOf(skus []string, result rueidis.RedisResult) ([]sale.ShelfReading, error) {
	values, err := result.ToArray()
	if err != nil {
		return nil, err
	}
	if len(values) != len(skus) {
		return nil, fmt.Errorf("%d SKUs asked, %d answered", len(skus), len(values))
	}
	shelves := make([]sale.ShelfReading, len(skus))
	for i := range values {
		shelves[i].SKU = skus[i]
		if values[i].IsNil() {
			continue
		}
		value, err := values[i].ToString()
		if err != nil {
			return nil, err
		}
		shelves[i] = shelfOf(skus[i], value)
	}
	return shelves, nil
}

// shelfOf reads a field of the stock hash: `available taken limit number moved returned`.
func shelfOf(sku, value string) sale.ShelfReading {
	var numbers [6]int64
	whole, fields := true, 0
	for field := range strings.SplitSeq(value, " ") {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || fields == len(numbers) {
			whole = false
			break
		}
		numbers[fields] = n
		fields++
	}
	if !whole || fields < len(numbers) {
		return sale.ShelfReading{SKU: sku, Foreign: true}
	}
	return sale.ShelfReading{
		SKU: sku, Available: numbers[0], Taken: numbers[1], Limit: int(numbers[2]), Number: int(numbers[3]), Moved: numbers[4],
		Returned: numbers[5],
	}
}
