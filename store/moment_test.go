package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flashsale/ledger"
	"flashsale/sale"
)

func TestMomentsSurvive(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		ms := rapid.Int64Range(ledger.MinMomentMS, ledger.MaxMomentMS).Draw(r, "ms")
		at := sale.Time{Time: time.UnixMilli(ms).In(time.FixedZone("elsewhere", 8*3600))}
		text, err := moment{at}.Value()
		require.NoError(r, err)
		require.Equal(r, datetime(ms), text)
		for _, source := range []any{text, []byte(text.(string))} {
			var back moment
			require.NoError(r, back.Scan(source))
			require.Equal(r, sale.TimeMillis(ms), back.Time)
			var perhaps nullMoment
			require.NoError(r, perhaps.Scan(source))
			require.Equal(r, sale.TimeMillis(ms), *perhaps.time)
			again, err := perhaps.Value()
			require.NoError(r, err)
			require.Equal(r, text, again)
		}
	})
}

func TestMomentsRefuse(t *testing.T) {
	for _, source := range []any{nil, 7, "", "2026-11-11", "2026-11-11T10:00:00.000Z", "0000-00-00 00:00:00.000"} {
		require.Error(t, new(moment).Scan(source), "%v", source)
	}
	perhaps := nullMoment{new(sale.Time)}
	require.Error(t, perhaps.Scan("x"))
	require.NoError(t, perhaps.Scan(nil))
	require.Nil(t, perhaps.time)
	null, err := perhaps.Value()
	require.NoError(t, err)
	require.Nil(t, null)
}

func TestMomentsSortAsText(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := rapid.Int64Range(ledger.MinMomentMS, ledger.MaxMomentMS).Draw(r, "a")
		b := rapid.Int64Range(ledger.MinMomentMS, ledger.MaxMomentMS).Draw(r, "b")
		require.Equal(r, a < b, datetime(a) < datetime(b))
	})
}
