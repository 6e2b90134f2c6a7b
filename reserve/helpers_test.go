package reserve

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// orderOf is the database's order of an answer.
func orderOf(a sale.Answer, buyer string) sale.RecordOrder {
	return sale.RecordOrder{OrderID: a.OrderID, Quantity: a.Quantity, Buyer: buyer}
}

// closeRow closes a bucket in the database, as a report does.
func (w *world) closeRow(b sale.Bucket) sale.BucketRow {
	rows, err := w.db.CloseBuckets(context.Background(), []sale.BucketRow{w.db.Row(b)})
	require.NoError(w.t, err)
	return rows[0]
}

func impatient(o *EngineOptions) { o.AckTimeout = time.Millisecond }

// doOn sends one raw command to the world's Redis.
func (w *world) doOn(args ...string) {
	w.t.Helper()
	w.server.MustDo(w.t, args...)
}

func buyers(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return all
}

// listOf passes n buyers on, listed-0 and so on.
func listOf(n int) func(func(string) error) error {
	return func(add func(string) error) error {
		for i := range n {
			if err := add(fmt.Sprintf("listed-%d", i)); err != nil {
				return err
			}
		}
		return nil
	}
}
