package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestMayFreeze(t *testing.T) {
	for state, may := range map[sale.State]bool{
		sale.StateDraft: false, sale.StatePreloaded: true, sale.StateOpen: true, sale.StatePaused: true, sale.StateClosed: true,
		sale.StateArchived: false,
	} {
		err := MayFreeze(&sale.Sale{State: state})
		var refused *sale.StateError
		require.Equal(t, !may, errors.As(err, &refused), state)
	}
}

func TestFrozenOrdersDoNotExpire(t *testing.T) {
	deadline := sale.TimeMillis(noonMS)
	o := &sale.Order{Status: sale.StatusConfirmed, PayBy: &deadline}
	require.True(t, Expires(o, &Row{}, noonMS))
	require.False(t, Expires(o, &Row{Frozen: true}, noonMS))
}

// An order that settles late gets the time of every thaw that came after its press.
func TestPaymentTimeOfLateOrders(t *testing.T) {
	const ttl = 900
	thaws := []Thaw{{AtMS: noonMS, ShiftMS: 1000}, {AtMS: noonMS + 10_000, ShiftMS: 20_000}}
	for _, story := range []struct{ created, settled, payBy int64 }{
		{noonMS - 1, noonMS + 20_000, noonMS - 1 + ttl*1000 + 21_000},
		{noonMS, noonMS + 20_000, noonMS + ttl*1000 + 20_000}, // pressed at the thaw: after it
		{noonMS + 10_000, noonMS + 20_000, noonMS + 10_000 + ttl*1000},
		{noonMS - 1, noonMS + 10*ttl*1000, noonMS + 10*ttl*1000 + 60_000}, // at least a minute, once
	} {
		state := NewState(nil, nil, story.settled, true)
		state.Thaws = map[string][]Thaw{"s": thaws, "other": {{AtMS: noonMS * 2, ShiftMS: 5}}}
		row := &Row{PaymentTTL: ttl, ThawNo: 2}
		terms := NewPlan(state).termsOf(&sale.Batch{Bucket: sale.Bucket{Sale: "s"}, CreatedMS: story.created}, row)
		require.Equal(t, story.payBy, terms.PayByMS)
		require.EqualValues(t, 2, terms.ThawNo)
		row.PaymentTTL = 0
		terms = NewPlan(state).termsOf(&sale.Batch{Bucket: sale.Bucket{Sale: "s"}, CreatedMS: story.created}, row)
		require.EqualValues(t, -1, terms.PayByMS, "without an end it has none")
	}
}

func TestShiftOf(t *testing.T) {
	at := sale.TimeMillis(noonMS)
	require.EqualValues(t, 1500, ShiftOf(at, sale.TimeMillis(noonMS+1500)))
	require.Zero(t, ShiftOf(at, sale.TimeMillis(noonMS-1500)), "the clock went back")
}

func TestExtends(t *testing.T) {
	due := sale.TimeMillis(noonMS)
	last := noonMS - 500 + sale.MaxExtension.Milliseconds()
	for _, story := range []struct {
		now, to int64
		moves   bool
		field   bool
	}{
		{noonMS - 500, noonMS, false, false}, {noonMS + 500, noonMS, false, false}, // the same, also when it is over
		{noonMS - 500, noonMS + 1, true, false}, {noonMS - 500, noonMS - 1, false, true},
		{noonMS + 500, noonMS + 500, false, true}, {noonMS + 500, noonMS + 501, true, false},
		{noonMS - 500, last, true, false}, {noonMS - 500, last + 1, false, true},
	} {
		moves, err := Extends(&sale.Order{Status: sale.StatusConfirmed, PayBy: &due}, sale.TimeMillis(story.to), story.now)
		var field *sale.FieldError
		require.Equal(t, story.field, errors.As(err, &field), "%+v", story)
		require.Equal(t, story.moves, moves, "%+v", story)
		require.True(t, field == nil || field.Field == "pay_by")
	}
	for _, status := range statuses {
		_, err := Extends(&sale.Order{Status: status, PayBy: &due}, sale.TimeMillis(noonMS+1), noonMS)
		if status == sale.StatusConfirmed {
			require.NoError(t, err)
		} else {
			require.Equal(t, status, refusedAs(err))
		}
	}
	_, err := Extends(&sale.Order{Status: sale.StatusConfirmed}, due, noonMS)
	require.ErrorContains(t, err, "no end")
}

func TestSilent(t *testing.T) {
	require.False(t, Silent(0, 0, noonMS, time.Second), "no payment ever came")
	require.False(t, Silent(noonMS-999, 0, noonMS, time.Second))
	require.True(t, Silent(noonMS-1000, 0, noonMS, time.Second))
	require.False(t, Silent(noonMS-5000, noonMS-999, noonMS, time.Second), "a thaw begins it anew")
	require.True(t, Silent(noonMS-5000, noonMS-1000, noonMS, time.Second))
	require.Equal(t, "orders fall due and the last payment was 5m0s ago", SilentReason(5*time.Minute+200*time.Millisecond))
}
