package scripts

import (
	"strconv"

	"flashsale/sale"
)

// bucketKeys are the Redis keys of one bucket. They share the hash tag {sale:sku:number}, so a script may use them all.
type BucketKeys struct {
	Meta    string // hash: epoch, counters, window
	Buyers  string // hash: buyer -> entries
	Journal string // stream: batches not yet known to be in Kafka
}

func (r *Redis) Keys(b sale.Bucket) BucketKeys {
	tag := r.options.Namespace + ":{" + b.String() + "}:"
	return BucketKeys{Meta: tag + "meta", Buyers: tag + "buyers", Journal: tag + "journal"}
}

// named returns the key that load.lua names by its last word.
func (k BucketKeys) named(word string) string {
	return map[string]string{"meta": k.Meta, "buyers": k.Buyers, "journal": k.Journal}[word]
}

// any names the three of them, for a message.
func (k BucketKeys) any() string {
	return "one of the keys " + k.Meta + ", " + k.Buyers + " and " + k.Journal
}

// listKey is the set of listed buyers of one list version.
func (r *Redis) listKey(saleID string, version int64) string {
	return r.listPointerKey(saleID) + ":" + strconv.FormatInt(version, 10)
}

// listPointerKey holds the version of the list that was loaded last, so that the next load can free it.
func (r *Redis) listPointerKey(saleID string) string {
	return r.options.Namespace + ":{" + saleID + "}:listed"
}

// WriteID identifies one write of a script on a bucket: the epoch that it happened in, and its number in that epoch.
type WriteID struct{ Epoch, Sequence int64 }
