package sale

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBehindSaysWhatToRun(t *testing.T) {
	err := Behind("redis", []BehindBucket{
		{Bucket{Sale: "eleven", SKU: "phone", Number: 2}, 3, 5}, {Bucket{Sale: "eleven", SKU: "case"}, 0, 1},
	})
	require.ErrorIs(t, err, ErrBehind)
	const set = "closed_reason = 'database was behind', settled_epoch = 0, moved_epoch = 0, given_epoch = 0, sequence = 0, " +
		"version = (SELECT version FROM catalogue WHERE id = 1) "
	require.EqualError(t, err,
		"the database is behind: redis has epochs that this database has not begun, as after a restore of "+
			"an old backup: bucket eleven:phone:2 is in epoch 3 here and in epoch 5 there, bucket eleven:case:0 is in epoch "+
			"0 here and in epoch 1 there; restore the database that belongs to it, or, to use this one, run: BEGIN; "+
			"UPDATE catalogue SET version = version + 1 WHERE id = 1; "+
			"UPDATE stock SET epoch = 5, state = 'closed', "+set+
			"WHERE sale_id = 'eleven' AND sku = 'phone' AND bucket = 2 AND epoch < 5; "+
			"UPDATE stock SET epoch = 1, state = 'closed', "+set+
			"WHERE sale_id = 'eleven' AND sku = 'case' AND bucket = 0 AND epoch < 1; COMMIT;")
}
