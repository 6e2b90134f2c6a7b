package store

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func remember(t testing.TB, s *Store, id sale.OrderID, payment string) bool {
	t.Helper()
	remembered, err := s.RememberPayment(t.Context(), id, payment)
	require.NoError(t, err)
	return remembered
}

func forgotten(t testing.TB, s *Store) {
	t.Helper()
	require.Zero(t, count(t, s, "SELECT COUNT(*) FROM remembered_payments"))
}

// A payment from before the row wins: the transaction that writes the row pays it, with a confirmed event before the paid one.
func TestRememberedPaymentWins(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 2, 1)
		ann, bob, late := one("ann", 1), one("bob", 1), one("cat", 1)
		require.True(t, remember(t, s, ann.OrderID, "p-1"))
		require.True(t, remember(t, s, ann.OrderID, "p-1"), "repeated")
		require.False(t, remember(t, s, ann.OrderID, "p-2"), "the first one counts")
		require.True(t, remember(t, s, late.OrderID, "p-3"))
		d := batch(bucket, 1, 1, ann, bob)
		d.Record.Batch.CreatedMS = longAgo
		settle(t, s, d, batch(bucket, 1, 2, late))
		paid := order(t, s, ann.OrderID)
		require.Equal(t, sale.StatusPaid, paid.Status)
		require.Equal(t, "p-1", paid.PaymentID)
		require.Equal(t, sale.StatusConfirmed, order(t, s, bob.OrderID).Status)
		require.Equal(t, sale.StatusRefused, order(t, s, late.OrderID).Status)
		forgotten(t, s)
		require.Zero(t, settle(t, s, d).Rows, "delivered again")

		var told []sale.OrderStatus
		for _, o := range drained(t, s) {
			if o.OrderID == ann.OrderID {
				told = append(told, o.Status)
				require.Equal(t, o.Status == sale.StatusPaid, o.PaymentID == "p-1")
			}
		}
		require.Equal(t, []sale.OrderStatus{sale.StatusConfirmed, sale.StatusPaid}, told)
		overdue(t, s)
		require.Equal(t, 1, expireDue(t, s, 10), "only bob has not paid")
		require.Equal(t, paid, pay(t, s, ann.OrderID, "p-1"), "the shop's repeat")
		_, err := s.PayOrder(t.Context(), ann.OrderID, "p-2")
		require.Equal(t, &sale.PaidError{PaymentID: "p-1"}, paidIn(err))
		ledgerAgrees(t, s, bucket)
	})
}

func paidIn(err error) *sale.PaidError {
	var paid *sale.PaidError
	errors.As(err, &paid)
	return paid
}

// A replay of a dead letter uses the stored payment, a refusal deletes it.
func TestRememberedPaymentsOfDeadLetters(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		replayed, refused := batch(bucket, 1, 1, one("ann", 1)), batch(bucket, 1, 2, one("bob", 1))
		for i, d := range []sale.Delivery{replayed, refused} {
			add(t, s, letter(d, int64(i)))
			require.True(t, remember(t, s, d.Record.Batch.BatchID, "p"))
		}
		require.NoError(t, s.RefuseDeadLetter(t.Context(), letter(refused, 1).ID))
		settle(t, s, replayed)
		require.Equal(t, sale.StatusPaid, order(t, s, replayed.Record.Batch.BatchID).Status)
		require.Equal(t, sale.StatusRefused, order(t, s, refused.Record.Batch.BatchID).Status)
		forgotten(t, s)
	})
}

// With several writers another transaction may write the row beside the payment. The next change of the order finds it.
func TestRememberedPaymentBesideTheRow(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		due := unpaid(t, s, bucket, 1, 4)
		for _, o := range due[:3] {
			require.True(t, remember(t, s, o.OrderID, "first"))
		}
		_, err := s.PayOrder(t.Context(), due[0].OrderID, "second")
		require.Equal(t, &sale.PaidError{PaymentID: "first"}, paidIn(err))
		_, err = s.CancelOrder(t.Context(), due[1].OrderID, sale.ReasonBuyer, due[1].Buyer)
		require.Equal(t, sale.StatusPaid, statusIn(err))
		require.Equal(t, 1, expireDue(t, s, 10), "the fourth")
		for _, o := range due[:3] {
			require.Equal(t, "first", order(t, s, o.OrderID).PaymentID)
			require.Equal(t, sale.StatusPaid, order(t, s, o.OrderID).Status)
		}
		forgotten(t, s)
		require.EqualValues(t, 1, countersOf(t, s, bucket).Released)
		agreesAfterMoves(t, s, bucket)
	})
}

// Remembering, a look afterwards and the settlement at once, time and again: the payment is never lost.
func TestRememberBesideSettlement(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const rounds = 30
		bucket := phone(t, s, rounds, 1)
		for round := range int64(rounds) {
			o := one("", 1)
			o.Buyer = o.OrderID.String()
			require.NoError(t, together(2, func(i int) error {
				if i == 0 {
					_, err := s.Settle(t.Context(), []sale.Delivery{batch(bucket, 1, round+1, o)})
					return err
				}
				if _, err := s.RememberPayment(t.Context(), o.OrderID, "p"); err != nil {
					return err
				}
				if _, err := s.PayOrder(t.Context(), o.OrderID, "p"); err != nil && !errors.Is(err, sale.ErrNotFound) {
					return err
				}
				return nil
			}))
			require.Equal(t, sale.StatusPaid, order(t, s, o.OrderID).Status, "round %d", round)
			forgotten(t, s)
		}
		toldAsPaid(t, s)
	})
}

// toldAsPaid checks that each paid order has one confirmed and one paid event.
func toldAsPaid(t *testing.T, s *Store) {
	t.Helper()
	told := map[sale.OrderID][]sale.OrderStatus{}
	for _, o := range drained(t, s) {
		told[o.OrderID] = append(told[o.OrderID], o.Status)
	}
	for id, statuses := range told {
		require.Equal(t, []sale.OrderStatus{sale.StatusConfirmed, sale.StatusPaid}, statuses, "order %d", id)
	}
}

// Stored payments are bounded in rows and in time.
func TestRememberedPaymentsAreBounded(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		require.True(t, remember(t, s, 1, "old"))
		_, err := s.db.Exec("UPDATE remembered_payments SET noted_ms = noted_ms - ?", maxRemembered.Milliseconds()+1000)
		require.NoError(t, err)
		require.True(t, remember(t, s, 2, "new"))
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM remembered_payments WHERE order_id = 2"))
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM remembered_payments"))
		for first := 10; first < 10+maxRememberedRows; first += maxRows {
			args := make([]any, 0, maxRows)
			for id := range maxRows {
				args = append(args, first+id)
			}
			_, err := s.db.Exec(repeated("INSERT INTO remembered_payments (order_id, payment_id, noted_ms) VALUES ",
				"(?,'p',9000000000000)",
				",", maxRows, ""), args...)
			require.NoError(t, err)
		}
		require.False(t, remember(t, s, 3, "p"), "full")
		require.True(t, remember(t, s, 2, "new"), "what is there stays")
	})
}
