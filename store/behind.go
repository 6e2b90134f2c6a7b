package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"flashsale/ledger"
	"flashsale/sale"
)

// maxBehind bounds the buckets that an error names; the next attempt names the next ones.
const maxBehind = 10

// behind says that records of later epochs have come than the database has begun, which happens when it was restored
// from an old backup, and gives the SQL that lets the engine go on: each bucket is closed in the highest epoch seen, so
// that its records settle and a rebuild follows.
func behind(epochs map[sale.Bucket]int64, stock map[sale.Bucket]*ledger.Row) error {
	buckets := slices.SortedFunc(maps.Keys(epochs), compareBuckets)
	buckets = buckets[:min(len(buckets), maxBehind)]
	found := make([]string, len(buckets))
	repair := []string{"BEGIN", sqlNextVersion}
	for i, b := range buckets {
		found[i] = fmt.Sprintf("bucket %s is in epoch %d here and in epoch %d there", b, stock[b].Epoch, epochs[b])
		repair = append(repair, fmt.Sprintf("UPDATE stock SET epoch = %d, state = 'closed', closed_reason = 'database was behind', "+
			"settled_epoch = 0, moved_epoch = 0, given_epoch = 0, sequence = 0, version = (SELECT version FROM catalogue WHERE id = 1) "+
			"WHERE sale_id = '%s' AND sku = '%s' AND bucket = %d", epochs[b], b.Sale, b.SKU, b.Number))
	}
	repair = append(repair, "COMMIT")
	return fmt.Errorf("%w: the orders topic has records of epochs that this database has not begun, as after an old backup was "+
		"restored: %s; restore the database that belongs to this topic, or, to go on with this one, run: %s;",
		sale.ErrBehind, strings.Join(found, ", "), strings.Join(repair, "; "))
}
