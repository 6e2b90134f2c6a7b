package sale

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBehindSaysWhatToRun(t *testing.T) {
	err := Behind("redis", []BehindBucket{{Bucket{Sale: "eleven", Number: 2}, 3, 5}, {Bucket{Sale: "ten"}, 0, 1}})
	require.ErrorIs(t, err, ErrBehind)
	const counters = "UPDATE stock SET settled_epoch = 0, moved_epoch = 0, given_epoch = 0 WHERE "
	const closes = "state = 'closed', closed_reason = 'database was behind', sequence = 0, " +
		"version = (SELECT version FROM catalogue WHERE id = 1) WHERE "
	require.EqualError(t, err,
		"the database is behind: redis has epochs that this database has not begun, as after a restore of "+
			"an old backup: bucket eleven:2 is in epoch 3 here and in epoch 5 there, bucket ten:0 is in epoch "+
			"0 here and in epoch 1 there; restore the database that belongs to it, or, to use this one, run: BEGIN; "+
			"UPDATE catalogue SET version = version + 1 WHERE id = 1; "+
			counters+"sale_id = 'eleven' AND bucket = 2 AND "+
			"(SELECT epoch FROM buckets WHERE sale_id = 'eleven' AND bucket = 2) < 5; "+
			"UPDATE buckets SET epoch = 5, "+closes+"sale_id = 'eleven' AND bucket = 2 AND epoch < 5; "+
			counters+"sale_id = 'ten' AND bucket = 0 AND "+
			"(SELECT epoch FROM buckets WHERE sale_id = 'ten' AND bucket = 0) < 1; "+
			"UPDATE buckets SET epoch = 1, "+closes+"sale_id = 'ten' AND bucket = 0 AND epoch < 1; COMMIT;")
}
