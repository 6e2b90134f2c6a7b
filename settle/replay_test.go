package settle

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// withDeadLetter returns a store with one dead letter, "3-9": a record of a sale that does not exist.
func withDeadLetter(t *testing.T) *database {
	t.Helper()
	s, store, _ := newFakeSettling(t)
	require.NoError(t, s.settle(t.Context(), []record{delivered(9, recordBytes("late-sale", 50, 2))}))
	require.Equal(t, []string{"3-9"}, store.letterIDs())
	return store
}

func TestReplaySettlesOnce(t *testing.T) {
	store := withDeadLetter(t)
	store.preload("late-sale") // the operator has created the sale
	changed, err := Replay(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, sale.DeadLetterReplayed, store.letter("3-9").State)
	require.Equal(t, 2, store.settledOrders())

	changed, err = Replay(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.False(t, changed)
	require.Equal(t, 2, store.settledOrders())
}

func TestReplayThatWasKilledBeforeItsMarkSettlesOnce(t *testing.T) {
	store := withDeadLetter(t)
	store.preload("late-sale")
	_, err := store.Settle(t.Context(), []sale.Delivery{delivered(9, store.letter("3-9").Raw).Delivery})
	require.NoError(t, err)

	changed, err := Replay(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, 2, store.settledOrders())
}

func TestReplayOfWhatStillCannotSettle(t *testing.T) {
	store := withDeadLetter(t)
	changed, err := Replay(t.Context(), store, "3-9")
	var poison *sale.PoisonError
	require.ErrorAs(t, err, &poison)
	require.Equal(t, sale.PoisonUnknownBucket, poison.Reason)
	require.False(t, changed)
	require.Equal(t, sale.DeadLetterWaiting, store.letter("3-9").State)
}

func TestReplayOfWhatCannotBeDecoded(t *testing.T) {
	s, store, _ := newFakeSettling(t)
	require.NoError(t, s.settle(t.Context(), []record{delivered(1, []byte("fs9 what\n"))}))
	_, err := Replay(t.Context(), store, "3-1")
	var poison *sale.PoisonError
	require.ErrorAs(t, err, &poison)
	require.Equal(t, sale.PoisonDecode, poison.Reason)
	require.ErrorIs(t, err, sale.ErrRecord)
}

func TestReplayRetriesAFewTimes(t *testing.T) {
	store := withDeadLetter(t)
	store.preload("late-sale")
	store.failures = []error{nil, errAway, errAway} // the look-up of the letter succeeds, then two attempts fail
	changed, err := Replay(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.True(t, changed)

	store = withDeadLetter(t)
	store.failures = []error{nil, errAway, errAway, errAway, errAway, errAway}
	_, err = Replay(t.Context(), store, "3-9")
	require.ErrorIs(t, err, errAway)
	require.Equal(t, sale.DeadLetterWaiting, store.letter("3-9").State)
}

func TestRefuse(t *testing.T) {
	store := withDeadLetter(t)
	changed, err := Refuse(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, sale.DeadLetterRefused, store.letter("3-9").State)

	changed, err = Refuse(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.False(t, changed)

	changed, err = Replay(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.False(t, changed, "a refused letter is not replayed")
	require.Zero(t, store.settledOrders())
}

func TestRefuseOfAReplayedOneChangesNothing(t *testing.T) {
	store := withDeadLetter(t)
	store.preload("late-sale")
	_, err := Replay(t.Context(), store, "3-9")
	require.NoError(t, err)
	changed, err := Refuse(t.Context(), store, "3-9")
	require.NoError(t, err)
	require.False(t, changed)
	require.Equal(t, sale.DeadLetterReplayed, store.letter("3-9").State)
}

func TestAnUnknownDeadLetter(t *testing.T) {
	_, err := Replay(t.Context(), newDatabase(), "0-0")
	require.ErrorIs(t, err, sale.ErrNotFound)
	_, err = Refuse(t.Context(), newDatabase(), "0-0")
	require.ErrorIs(t, err, sale.ErrNotFound)
}

func TestFaultsOfTheBooksReachTheOperator(t *testing.T) {
	store := withDeadLetter(t)
	store.failures = []error{nil, errAway}
	_, err := Refuse(t.Context(), store, "3-9")
	require.ErrorIs(t, err, errAway)

	store.preload("late-sale")
	store.failures = []error{nil, nil, errAway}
	_, err = Replay(t.Context(), store, "3-9")
	require.ErrorIs(t, err, errAway)
}

func TestClipKeepsValidText(t *testing.T) {
	require.Equal(t, "abc", clip("abc", 3))
	require.Equal(t, "ab", clip("abc", 2))
	require.Equal(t, "a", clip("aé", 2), "no half character stays")
	require.Equal(t, "ab", clip("a\xffb", 10))
	long := clip(strings.Repeat("é", 4000), maxDetailBytes)
	require.LessOrEqual(t, len(long), maxDetailBytes)
	require.True(t, utf8.ValidString(long))
}
