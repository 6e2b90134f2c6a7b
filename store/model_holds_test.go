package store

import (
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/sale"
	"flashsale/test/memory"
)

// hold freezes or thaws the sale, or extends an order.
func (w *modelRun) hold() {
	o := w.anOrder()
	switch {
	case o != nil && rapid.Bool().Draw(w.r, "extends"):
		w.extend(o)
	case w.m.frozen:
		w.thaw()
	default:
		id := w.known[0].Sale
		frozen, err := askBoth(w, func(d database) (sale.Sale, error) { return d.FreezeHolds(w.t.Context(), id, "") })
		require.NoError(w.r, err)
		require.NotNil(w.r, frozen.HoldsFrozenSince)
		frozenAt(w.t, w.s, id, time.Hour) // so that the thaw moves orders, by less than the next extension of any
		w.twin.Change(func(t *memory.Tables) {
			t.Sales[id].HoldsFrozenSince = &sale.Time{Time: time.Now().Add(-time.Hour)}
		})
		w.m.frozen = true
	}
}

func (w *modelRun) thaw() {
	for _, d := range []database{w.s, w.twin} {
		thaw, err := d.BeginThaw(w.t.Context(), w.known[0].Sale)
		for err == nil && !thaw.Done {
			thaw, err = d.ThawOrders(w.t.Context(), thaw)
		}
		require.NoError(w.r, err)
	}
	w.m.frozen = false
	for _, o := range w.m.orders {
		if o.status == sale.StatusConfirmed && o.due {
			w.m.become(o)
		}
	}
}

// extend moves the deadline of an order of years ago, or asks for what cannot be: those of the future have a later one.
func (w *modelRun) extend(o *modelOrder) {
	w.extensions++
	payBy := sale.TimeMillis(time.Now().Add(time.Duration(24+5*w.extensions) * time.Hour).UnixMilli())
	got, err := askBoth(w, func(d database) (sale.Order, error) { return d.ExtendOrder(w.t.Context(), o.OrderID, payBy) })
	switch {
	case o.status != sale.StatusConfirmed:
		require.Equal(w.r, o.status, statusIn(err))
	case !o.due:
		require.Equal(w.r, "field pay_by", kindOf(err))
	default:
		require.NoError(w.r, err)
		require.Equal(w.r, payBy, *got.PayBy)
		w.m.become(o)
	}
}
