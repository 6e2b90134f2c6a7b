package sale

import (
	"fmt"
	"strings"
)

// BehindBucket is a bucket of which another store has seen a later epoch than the database has begun.
type BehindBucket struct {
	Bucket
	Here, There int64 // epoch in the database and in the other store
}

// Behind is the error, which wraps ErrBehind, of a database that knows fewer epochs than another store has seen: an epoch
// begins in the database, so that it was restored from an old backup. It gives the SQL that lets the engine go on with it:
// each bucket is closed in the epoch seen, so that what comes of that epoch settles and a rebuild follows.
func Behind(where string, buckets []BehindBucket) error {
	found := make([]string, len(buckets))
	repair := []string{"BEGIN", "UPDATE catalogue SET version = version + 1 WHERE id = 1"}
	for i, b := range buckets {
		found[i] = fmt.Sprintf("bucket %s is in epoch %d here and in epoch %d there", b.Bucket, b.Here, b.There)
		repair = append(repair,
			fmt.Sprintf("UPDATE stock SET epoch = %d, state = 'closed', closed_reason = 'database was behind', "+
				"settled_epoch = 0, moved_epoch = 0, given_epoch = 0, sequence = 0, version = (SELECT version FROM catalogue "+
				"WHERE id = 1) "+
				"WHERE sale_id = '%s' AND sku = '%s' AND bucket = %d AND epoch < %d", b.There, b.Sale, b.SKU, b.Number, b.There))
	}
	repair = append(repair, "COMMIT")
	return fmt.Errorf("%w: %s knows epochs that this database has not begun, as after an old backup was restored: %s; restore "+
		"the database that belongs to it, or, to go on with this one, run: %s;",
		ErrBehind, where, strings.Join(found, ", "), strings.Join(repair, "; "))
}
