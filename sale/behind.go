package sale

import (
	"fmt"
	"strings"
)

// BehindBucket is a bucket for which another store has a later epoch than the database.
type BehindBucket struct {
	Bucket
	Here, There int64 // epoch in the database and in the other store
}

// Behind returns the error for a database that has earlier epochs than another store. It wraps ErrBehind. Only the database
// begins an epoch, so the database was restored from an old backup. The text contains the SQL with which the engine can use
// this database: it closes each bucket in the later epoch, so that batches of that epoch settle and a rebuild follows.
func Behind(where string, buckets []BehindBucket) error {
	found := make([]string, len(buckets))
	repair := []string{"BEGIN", "UPDATE catalogue SET version = version + 1 WHERE id = 1"}
	for i, b := range buckets {
		found[i] = fmt.Sprintf("bucket %s is in epoch %d here and in epoch %d there", b.Bucket, b.Here, b.There)
		// The units first: their statement depends on the epoch that the second one changes.
		repair = append(repair,
			fmt.Sprintf("UPDATE stock SET settled_epoch = 0, moved_epoch = 0, given_epoch = 0 "+
				"WHERE sale_id = '%s' AND bucket = %d AND (SELECT epoch FROM buckets WHERE sale_id = '%s' AND bucket = %d) < %d",
				b.Sale, b.Number, b.Sale, b.Number, b.There),
			fmt.Sprintf("UPDATE buckets SET epoch = %d, state = 'closed', closed_reason = 'database was behind', sequence = 0, "+
				"version = (SELECT version FROM catalogue WHERE id = 1) WHERE sale_id = '%s' AND bucket = %d AND epoch < %d",
				b.There, b.Sale, b.Number, b.There))
	}
	repair = append(repair, "COMMIT")
	return fmt.Errorf("%w: %s has epochs that this database has not begun, as after a restore of an old backup: %s; restore "+
		"the database that belongs to it, or, to use this one, run: %s;",
		ErrBehind, where, strings.Join(found, ", "), strings.Join(repair, "; "))
}
