package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ordinarySettlement is the number of statements that settle one batch of new buyers, from BEGIN to COMMIT. A change that adds
// one costs every settlement a round trip to the server.
const ordinarySettlement = 10

// The number of statements of a settlement does not depend on the freezes and thaws of a sale, unless a batch was pressed before
// a thaw: then the thaws are read.
func TestStatementsOfASettlement(t *testing.T) {
	s := migrated(t, DriverMySQL)
	bucket := phone(t, s, 10_000, 1)
	sequence := int64(0)
	sent := func(pressed time.Time) int {
		sequence++
		d := batch(bucket, 1, sequence, crowd(50)...)
		d.Record.Batch.CreatedMS = pressed.UnixMilli()
		before := statements(t, s)
		settle(t, s, d)
		return statements(t, s) - before - 1 // the last question is that of statements
	}
	sent(time.Now()) // fills the filter of buyers
	require.Equal(t, ordinarySettlement, sent(time.Now()))
	freeze(t, s, "eleven")
	require.Equal(t, ordinarySettlement, sent(time.Now()), "frozen")
	thaw := beginThaw(t, s, "eleven")
	late := thaw.At.Add(-time.Second)
	require.Equal(t, ordinarySettlement, sent(thaw.At.Add(time.Second)), "while it thaws")
	require.Equal(t, ordinarySettlement+1, sent(late), "pressed before the thaw")
	thawed(t, s, thaw)
	require.Equal(t, ordinarySettlement, sent(thaw.At.Add(time.Second)), "after it")
	require.Equal(t, ordinarySettlement+1, sent(late))
}
