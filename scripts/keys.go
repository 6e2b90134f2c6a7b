package scripts

import (
	"strconv"

	"flashsale/sale"
)

// BucketKeys are the Redis keys of one bucket. They share the hash tag {sale:number}, so one script call may use them all.
type BucketKeys struct {
	Meta    string // hash: epoch, window, counters of the bucket
	Stock   string // hash: SKU -> counters of its units
	Buyers  string // hash: buyer -> entries
	Journal string // stream: batches not yet known to be in Kafka
}

// Keys returns the keys of a bucket in this namespace.
func (r *Redis) Keys(b sale.Bucket) BucketKeys {
	tag := r.options.Namespace + ":{" + b.String() + "}:"
	return BucketKeys{Meta: tag + "meta", Stock: tag + "stock", Buyers: tag + "buyers", Journal: tag + "journal"}
}

// named returns the key that a reply of load.lua names by its last word.
func (k BucketKeys) named(word string) string {
	return map[string]string{"meta": k.Meta, "stock": k.Stock, "buyers": k.Buyers, "journal": k.Journal}[word]
}

// any names the four keys in a message.
func (k BucketKeys) any() string {
	return "one of the keys " + k.Meta + ", " + k.Stock + ", " + k.Buyers + " and " + k.Journal
}

// all returns the four keys.
func (k BucketKeys) all() []string { return []string{k.Meta, k.Stock, k.Buyers, k.Journal} }

// listKey is the set of listed buyers of one version of the list.
func (r *Redis) listKey(saleID string, version int64) string {
	return r.listPointerKey(saleID) + ":" + strconv.FormatInt(version, 10)
}

// listPointerKey contains the version of the list that was loaded last, so that the next load can free that list.
func (r *Redis) listPointerKey(saleID string) string {
	return r.options.Namespace + ":{" + saleID + "}:listed"
}
