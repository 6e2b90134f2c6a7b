package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// reader returns ids one by one, then the error.
func reader(end error, ids ...string) func() (string, error) {
	return func() (string, error) {
		if len(ids) == 0 {
			return "", end
		}
		id := ids[0]
		ids = ids[1:]
		return id, nil
	}
}

func listedSale(t *testing.T, s *Store) {
	t.Helper()
	wanted := draft("eleven", 1, item("phone", 10))
	wanted.Eligibility = sale.EligibilityList
	put(t, s, wanted)
}

func listed(t *testing.T, s *Store) []string {
	t.Helper()
	var all []string
	require.NoError(t, s.EachListed(t.Context(), "eleven", func(buyer string) error {
		all = append(all, buyer)
		return nil
	}))
	return all
}

func TestReplaceBuyers(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		listedSale(t, s)
		require.Empty(t, listed(t, s))
		size, err := s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "bob", "Bob", "ann", "bob", "a.b_c:d@e|f+g-h"))
		require.NoError(t, err)
		require.EqualValues(t, 4, size, "twice counts once, case counts")
		require.ElementsMatch(t, []string{"Bob", "a.b_c:d@e|f+g-h", "ann", "bob"}, listed(t, s))

		before := changesSince(t, s, 0).Version
		size, err = s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "cat"))
		require.NoError(t, err)
		require.EqualValues(t, 1, size)
		require.Equal(t, []string{"cat"}, listed(t, s))
		changed := changesSince(t, s, before).Sales
		require.Len(t, changed, 1)
		require.EqualValues(t, 2, changed[0].ListVersion)
		require.EqualValues(t, 1, changed[0].ListSize)
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM buyers"), "the old list is gone")

		size, err = s.ReplaceBuyers(ctx, "eleven", reader(io.EOF))
		require.NoError(t, err)
		require.Zero(t, size)
		require.Empty(t, listed(t, s))
	})
}

func TestReplaceBuyersThatFailsChangesNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		listedSale(t, s)
		_, err := s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "ann"))
		require.NoError(t, err)

		var many []string
		for i := range 2*maxRows + 1 {
			many = append(many, fmt.Sprintf("buyer-%d", i))
		}
		cut := errors.New("the connection was cut")
		_, err = s.ReplaceBuyers(ctx, "eleven", reader(cut, many...))
		require.ErrorIs(t, err, cut)
		_, err = s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, append(many, "not valid")...))
		var fault *sale.FieldError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, fmt.Sprintf("line %d", len(many)+1), fault.Field)
		require.Equal(t, []string{"ann"}, listed(t, s))
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM buyers"), "nothing is left of the failed lists")
	})
}

func TestReplaceBuyersFitsTheSale(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		var refused *sale.StateError
		put(t, s, draft("free", 1, item("phone", 10)))
		_, err := s.ReplaceBuyers(ctx, "free", reader(io.EOF, "ann"))
		require.ErrorAs(t, err, &refused)
		_, err = s.ReplaceBuyers(ctx, "nowhere", reader(io.EOF, "ann"))
		require.ErrorIs(t, err, sale.ErrNotFound)

		listedSale(t, s)
		_, err = s.SetState(ctx, "eleven", sale.StatePreloaded, sale.StateDraft)
		require.NoError(t, err)
		_, err = s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "ann"))
		require.NoError(t, err)
		// The sale opens during an upload: the list is too late.
		opens := func() (string, error) {
			_, err := s.SetState(ctx, "eleven", sale.StateOpen, sale.StatePreloaded)
			require.NoError(t, err)
			return "", io.EOF
		}
		_, err = s.ReplaceBuyers(ctx, "eleven", opens)
		require.ErrorAs(t, err, &refused)
		require.Equal(t, []string{"ann"}, listed(t, s))
	})
}

func TestOfTwoUploadsTheLaterWins(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		listedSale(t, s)
		overtaken := func() (string, error) { // a whole other upload happens inside this one
			_, err := s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "later"))
			require.NoError(t, err)
			return "", io.EOF
		}
		_, err := s.ReplaceBuyers(ctx, "eleven", overtaken)
		var refused *sale.StateError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, []string{"later"}, listed(t, s))
	})
}

func TestListReplacedWhileItIsRead(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		listedSale(t, s)
		var many []string
		for i := range listPage + 1 {
			many = append(many, fmt.Sprintf("buyer-%d", i))
		}
		_, err := s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, many...))
		require.NoError(t, err)
		replaced := false
		err = s.EachListed(ctx, "eleven", func(string) error {
			if replaced {
				return nil
			}
			replaced = true
			_, err := s.ReplaceBuyers(ctx, "eleven", reader(io.EOF, "ann"))
			return err
		})
		require.ErrorContains(t, err, "replaced")
		stop := errors.New("enough")
		require.ErrorIs(t, s.EachListed(ctx, "eleven", func(string) error { return stop }), stop)
		require.ErrorIs(t, s.EachListed(ctx, "nowhere", nil), sale.ErrNotFound)
	})
}

// A list is written and read in statements of many rows. Times are in the verbose output.
func TestReplaceManyBuyers(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const size = 2*listRun + 10
		listedSale(t, s)
		n := 0
		next := func() (string, error) {
			if n++; n > size+maxRows { // some occur again in another run
				return "", io.EOF
			}
			return fmt.Sprintf("buyer-%d", n*7919%size), nil // in no order
		}
		sent := statements(t, s)
		began := time.Now()
		got, err := s.ReplaceBuyers(t.Context(), "eleven", next)
		require.NoError(t, err)
		require.EqualValues(t, size, got)
		uploaded := time.Since(began)
		require.Len(t, listed(t, s), size)
		t.Logf("%d ids: uploaded in %v, read in %v", size, uploaded, time.Since(began)-uploaded)
		require.Less(t, statements(t, s)-sent, 1000)
	})
}

// An upload that cannot be written ends soon, before the end of its input, and leaves no rows.
func TestUploadThatIsCutOff(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		listedSale(t, s)
		ctx, cut := context.WithCancel(t.Context())
		n := 0
		endless := func() (string, error) {
			if n++; n == listRun {
				cut()
			}
			return fmt.Sprintf("buyer-%d", n), nil
		}
		_, err := s.ReplaceBuyers(ctx, "eleven", endless)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM buyers"))
	})
}
