package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestPutSaleCreatesADraft(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := inBuckets(4, draft("eleven", 2, item("phone", 10), limited(item("Case", 0), 7), item("a-cable", 5)))
		wanted.SaleLimit, wanted.Items[0].Name = 12, "Téléphone 📱"
		wanted.Name = "双十一 🎉"
		wanted.State = sale.StateOpen // not the caller's to choose
		put, created, err := s.PutSale(t.Context(), wanted)
		require.NoError(t, err)
		require.True(t, created)
		wanted.State, wanted.Version = sale.StateDraft, 1
		wanted.Items[0].Number, wanted.Items[1].Number, wanted.Items[2].Number = 1, 2, 3
		require.Equal(t, wanted, put)

		found, err := s.Sale(t.Context(), "eleven")
		require.NoError(t, err)
		require.Equal(t, wanted, found)

		again, created, err := s.PutSale(t.Context(), wanted)
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, wanted, again, "nothing changed, not even the version")
	})
}

func TestSalesAreSortedWithTheirItems(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		none, err := s.Sales(t.Context())
		require.NoError(t, err)
		require.Empty(t, none)
		first, second := draft("b", 1, item("x", 1)), draft("a", 1, item("y", 1), item("x", 2))
		put(t, s, first)
		put(t, s, second)
		all, err := s.Sales(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, second.Items, unnumbered(all[0], second).Items)
		require.Equal(t, first.Items, unnumbered(all[1], first).Items)
		head, err := s.SaleHead(t.Context(), "b")
		require.NoError(t, err)
		all[1].Items = nil
		require.Equal(t, all[1], head)
		_, err = s.Sale(t.Context(), "c")
		require.ErrorIs(t, err, sale.ErrNotFound)
		_, err = s.SaleHead(t.Context(), "c")
		require.ErrorIs(t, err, sale.ErrNotFound)
	})
}

func TestPutSaleChangesADraftFreely(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		put(t, s, inBuckets(4, draft("eleven", 1, item("phone", 10), item("case", 5))))
		wanted := inBuckets(2, draft("eleven", 5, item("tablet", 1), item("phone", 3)))
		wanted.Currency, wanted.PaymentTTL, wanted.Eligibility = "EUR", 0, sale.EligibilityList
		wanted.StartsAt, wanted.EndsAt = sale.TimeMillis(noon), sale.TimeMillis(noon+1)
		changed := put(t, s, wanted)
		wanted.State, wanted.Version = sale.StateDraft, 2
		require.Equal(t, wanted, unnumbered(changed, wanted))
		require.Equal(t, []int{3, 1}, []int{changed.Items[0].Number, changed.Items[1].Number})
	})
}

func TestPutSaleRefusesBadMembers(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for field, spoil := range map[string]func(*sale.Sale){
			"sale":           func(w *sale.Sale) { w.ID = "-eleven" },
			"name":           func(w *sale.Sale) { w.Name = "" },
			"ends_at":        func(w *sale.Sale) { w.EndsAt = w.StartsAt },
			"items[1].sku":   func(w *sale.Sale) { w.Items[1].SKU = w.Items[0].SKU },
			"items[1].stock": func(w *sale.Sale) { w.Items[1].Stock = -1 },
		} {
			wanted := draft("eleven", 1, item("phone", 10), item("case", 5))
			spoil(&wanted)
			_, _, err := s.PutSale(t.Context(), wanted)
			var fault *sale.FieldError
			require.ErrorAs(t, err, &fault, field)
			require.Equal(t, field, fault.Field)
		}
		all, err := s.Sales(t.Context())
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

// change is one change of a sale that has been preloaded, and whether it may be made.
type change struct {
	name    string
	make    func(*sale.Sale)
	allowed bool
}

func later(at *sale.Time) { *at = sale.Time{Time: at.Add(time.Hour)} }

var changes = []change{
	{"name", func(w *sale.Sale) { w.Name += "!" }, true},
	{"end", func(w *sale.Sale) { later(&w.EndsAt) }, true},
	{"more stock", func(w *sale.Sale) { w.Items[1].Stock++ }, true},
	{"name of an item", func(w *sale.Sale) { w.Items[0].Name = "A phone" }, true},
	{"order of items", func(w *sale.Sale) { w.Items[0], w.Items[1] = w.Items[1], w.Items[0] }, true},
	{"more items", func(w *sale.Sale) {
		w.Items = append([]sale.Item{item(fmt.Sprint("new-", len(w.Items)), 1)}, w.Items...)
	}, true},
	{"price", func(w *sale.Sale) { w.Items[0].PriceCents++ }, false},
	{"buckets", func(w *sale.Sale) { w.Buckets++ }, false},
	{"limit", func(w *sale.Sale) { w.PerBuyerLimit++ }, false},
	{"limit of the sale", func(w *sale.Sale) { w.SaleLimit++ }, false},
	{"limit of an item", func(w *sale.Sale) { w.Items[0] = limited(w.Items[0], 3) }, false},
	{"currency", func(w *sale.Sale) { w.Currency = "EUR" }, false},
	{"payment time", func(w *sale.Sale) { w.PaymentTTL = 0 }, false},
	{"eligibility", func(w *sale.Sale) { w.Eligibility = sale.EligibilityList }, false},
	{"fewer items", func(w *sale.Sale) { w.Items = w.Items[:1] }, false},
	{"other item", func(w *sale.Sale) { w.Items[0].SKU = "other" }, false},
}

func TestPutSaleAfterPreload(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		selling(t, s, draft("eleven", 1, item("phone", 10), item("case", 5)))
		tryChanges(t, s, sale.StateOpen, changes)
		_, err := s.SetState(t.Context(), "eleven", sale.StateClosed, sale.StateOpen)
		require.NoError(t, err)
		var closed []change
		for _, c := range changes {
			c.allowed = c.name == "name"
			closed = append(closed, c)
		}
		tryChanges(t, s, sale.StateClosed, closed)
	})
}

func TestPutSaleAfterAPreloadThatDied(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		put(t, s, draft("eleven", 1, item("phone", 10), item("case", 5)))
		_, err := s.LoadStock(t.Context(), "eleven", 8)
		require.NoError(t, err)
		var dead []change
		for _, c := range changes {
			c.allowed = c.allowed || c.name == "price" // fixed only while the sale is open
			dead = append(dead, c)
		}
		tryChanges(t, s, sale.StateDraft, dead)
	})
}

func tryChanges(t *testing.T, s *Store, state sale.State, changes []change) {
	t.Helper()
	for _, c := range changes {
		before, err := s.Sale(t.Context(), "eleven")
		require.NoError(t, err)
		wanted := before
		wanted.Items = append([]sale.Item{}, before.Items...)
		c.make(&wanted)
		put, created, err := s.PutSale(t.Context(), wanted)
		if c.allowed {
			require.NoError(t, err, c.name)
			require.False(t, created)
			require.Greater(t, put.Version, before.Version)
			wanted.Version = put.Version
			require.Equal(t, wanted, unnumbered(put, wanted), c.name)
			requireNumbers(t, before.Items, put.Items)
			continue
		}
		var refused *sale.StateError
		require.ErrorAs(t, err, &refused, c.name)
		require.Equal(t, state, refused.State)
		after, err := s.Sale(t.Context(), "eleven")
		require.NoError(t, err)
		require.Equal(t, before, after, c.name)
	}
}

// unnumbered returns a sale with the numbers of another one's items in the same places.
func unnumbered(put, as sale.Sale) sale.Sale {
	put.Items = slices.Clone(put.Items)
	for i := range put.Items {
		put.Items[i].Number = as.Items[i].Number
	}
	return put
}

// requireNumbers checks that the items have distinct numbers and that those from before keep theirs.
func requireNumbers(t *testing.T, before, after []sale.Item) {
	t.Helper()
	numbers := map[int]string{}
	for _, item := range after {
		require.Positive(t, item.Number)
		require.Empty(t, numbers[item.Number], "number %d", item.Number)
		numbers[item.Number] = item.SKU
	}
	for _, item := range before {
		require.Equal(t, item.SKU, numbers[item.Number])
	}
}

func TestStartMovesOnlyBeforeIt(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := draft("past", 1, item("phone", 10))
		wanted.StartsAt = sale.TimeMillis(time.Now().Add(-time.Hour).UnixMilli())
		selling(t, s, wanted)
		later(&wanted.StartsAt)
		_, _, err := s.PutSale(t.Context(), wanted)
		var refused *sale.StateError
		require.ErrorAs(t, err, &refused)

		wanted = draft("future", 1, item("phone", 10))
		wanted.StartsAt = sale.TimeMillis(time.Now().Add(time.Hour).UnixMilli())
		selling(t, s, wanted)
		later(&wanted.StartsAt)
		require.Equal(t, wanted.StartsAt, put(t, s, wanted).StartsAt)
	})
}

func TestOneSalePutByManyAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		created := make([]bool, 8)
		err := together(len(created), func(i int) (err error) {
			_, created[i], err = s.PutSale(t.Context(), draft("eleven", 1+i%2, item("phone", 10), item("case", 1)))
			return err
		})
		require.NoError(t, err)
		n := 0
		for _, c := range created {
			if c {
				n++
			}
		}
		require.Equal(t, 1, n, "one of them created it")
		require.Equal(t, 2, count(t, s, "SELECT COUNT(*) FROM items"))
	})
}

func TestSetState(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		put(t, s, draft("eleven", 1, item("phone", 10)))
		_, err := s.SetState(ctx, "eleven", sale.StateOpen, sale.StatePreloaded, sale.StatePaused)
		var refused *sale.StateError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, sale.StateDraft, refused.State)
		require.Contains(t, refused.Detail, "preloaded or paused")

		moved, err := s.SetState(ctx, "eleven", sale.StatePreloaded, sale.StateDraft)
		require.NoError(t, err)
		require.Equal(t, sale.StatePreloaded, moved.State)
		again, err := s.SetState(ctx, "eleven", sale.StatePreloaded, sale.StateDraft)
		require.NoError(t, err)
		require.Equal(t, moved, again)
		_, err = s.SetState(ctx, "nowhere", sale.StateOpen)
		require.ErrorIs(t, err, sale.ErrNotFound)
	})
}

func TestPauseByTheEngine(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		put(t, s, draft("eleven", 1, item("phone", 10)))
		require.NoError(t, s.PauseSale(ctx, "eleven", "why"))
		found, err := s.Sale(ctx, "eleven")
		require.NoError(t, err)
		require.Equal(t, sale.StateDraft, found.State, "only an open sale is paused")
		require.Empty(t, found.Reason)

		for _, to := range []sale.State{sale.StatePreloaded, sale.StateOpen} {
			found, err = s.SetState(ctx, "eleven", to, sale.StateDraft, sale.StatePreloaded)
			require.NoError(t, err)
		}
		for range 2 {
			require.NoError(t, s.PauseSale(ctx, "eleven", strings.Repeat("é", 200)))
		}
		changes, err := s.Changes(ctx, found.Version)
		require.NoError(t, err)
		require.Len(t, changes.Sales, 1, "gateways get the change")
		require.Equal(t, sale.StatePaused, changes.Sales[0].State)
		require.NotEmpty(t, changes.Sales[0].Reason)
		require.LessOrEqual(t, len(changes.Sales[0].Reason), 255)
		found, err = s.SetState(ctx, "eleven", sale.StateOpen, sale.StatePaused)
		require.NoError(t, err)
		require.Empty(t, found.Reason, "resume clears the reason")
		require.ErrorIs(t, s.PauseSale(ctx, "nowhere", "why"), sale.ErrNotFound)
	})
}
