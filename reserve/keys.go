package reserve

import (
	"strconv"

	"flashsale/sale"
)

// bucketKeys are the Redis keys of one bucket. They share the hash tag {sale:sku:number}, so a script may use them all.
type bucketKeys struct {
	meta    string // hash: epoch, counters, window
	buyers  string // hash: buyer -> entries
	journal string // stream: batches not yet known to be in Kafka
}

func (r *Redis) keys(b sale.Bucket) bucketKeys {
	tag := r.options.Namespace + ":{" + b.String() + "}:"
	return bucketKeys{meta: tag + "meta", buyers: tag + "buyers", journal: tag + "journal"}
}

// named returns the key that load.lua names by its last word.
func (k bucketKeys) named(word string) string {
	return map[string]string{"meta": k.meta, "buyers": k.buyers, "journal": k.journal}[word]
}

// any names the three of them, for a message.
func (k bucketKeys) any() string {
	return "one of the keys " + k.meta + ", " + k.buyers + " and " + k.journal
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
