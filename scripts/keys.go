package scripts

import (
	"strconv"

	"flashsale/sale"
)

// BucketKeys are the Redis keys of one bucket. They share the hash tag {sale:sku:number}, so one script call may use them all.
type BucketKeys struct {
	Meta    string // hash: epoch, counters, window
	Buyers  string // hash: buyer -> entries
	Journal string // stream: batches not yet known to be in Kafka
}

// Keys returns the keys of a bucket in this namespace.
func (r *Redis) Keys(b sale.Bucket) BucketKeys {
	tag := r.options.Namespace + ":{" + b.String() + "}:"
	return BucketKeys{Meta: tag + "meta", Buyers: tag + "buyers", Journal: tag + "journal"}
}

// named returns the key that a reply of load.lua names by its last word.
func (k BucketKeys) named(word string) string {
	return map[string]string{"meta": k.Meta, "buyers": k.Buyers, "journal": k.Journal}[word]
}

// any names the three keys in a message.
func (k BucketKeys) any() string {
	return "one of the keys " + k.Meta + ", " + k.Buyers + " and " + k.Journal
}

// listKey is the set of listed buyers of one version of the list.
func (r *Redis) listKey(saleID string, version int64) string {
	return r.listPointerKey(saleID) + ":" + strconv.FormatInt(version, 10)
}

// listPointerKey contains the version of the list that was loaded last, so that the next load can free that list.
func (r *Redis) listPointerKey(saleID string) string {
	return r.options.Namespace + ":{" + saleID + "}:listed"
}
