package loadtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// goodSale is a correct sale with its history: 3 buyers bought 5 of 10 phones, one was refused, one got no answer
// although an order was taken, one got no answer and nothing was taken, one cancelled.
func goodSale() (*shop, []Told) {
	s := newShop(3, map[string]int64{"phone": 10, "case": 4})
	var history []Told
	press := func(buyer, key string, quantity int) Told {
		asked := Asked{"phone", quantity}
		order, outcome := s.buy(pressKey{buyer, key}, asked)
		told := Told{Buyer: buyer, Sale: "spring", Lines: []Asked{asked}, Key: key, Status: outcome.Row().Status}
		if order != nil {
			told.OrderID = order.OrderID.String()
		}
		told.setCode(outcome.String())
		return told
	}
	history = append(history, press("ann", "a1", 2), press("ann", "a2", 1), press("ann", "a2", 1), press("ann", "a3", 1),
		press("ben", "b1", 1), press("cat", "", 1), press("dan", "d1", 4))
	lost := press("eve", "e1", 1)
	lost.Code, lost.OrderID, lost.orderID, lost.Status = CodeNoAnswer, "", 0, 0
	never := Told{Buyer: "fay", Sale: "spring", Lines: phones(1), Key: "f1", Code: CodeNoAnswer}
	history = append(history, lost, never, press("gus", "g1", 2))
	gone := s.orders[len(s.orders)-1]
	gone.Status, gone.Reason = sale.StatusCancelled, "buyer"
	s.change("phone", func(units *sale.Stock) { units.Released += 2; units.Available += 2 })
	return s, history
}

func (s *shop) change(sku string, by func(*sale.Stock)) {
	units := s.stock[sku]
	by(&units)
	s.stock[sku] = units
}

func (s *shop) orderOf(buyer string) *sale.Order {
	for _, o := range s.orders {
		if o.BuyerID == buyer {
			return o
		}
	}
	panic("no order of " + buyer)
}

func (s *shop) drop(o *sale.Order) {
	for i := range s.orders {
		if s.orders[i] == o {
			s.orders = append(s.orders[:i], s.orders[i+1:]...)
			return
		}
	}
}

// write adds a row and counts its units as settled.
func (s *shop) write(o sale.Order) {
	s.nextID++
	if o.OrderID == 0 {
		o.OrderID = s.nextID
	}
	o.Sale, o.Status = "spring", sale.StatusConfirmed
	s.orders = append(s.orders, &o)
	s.change(o.Lines[0].SKU, func(units *sale.Stock) {
		units.Settled += int64(o.Lines[0].Quantity)
		units.Available -= int64(o.Lines[0].Quantity)
	})
}

func TestGoodSaleIsGood(t *testing.T) {
	s, history := goodSale()
	verdict := verdictOf(t, s, history)
	require.True(t, verdict.Good, "%+v", verdict)
	require.EqualValues(t, 6, verdict.Sold)
	require.EqualValues(t, 0, *verdict.Lost)
	require.EqualValues(t, 0, *verdict.Untold)
	require.Equal(t, &ToldCounts{Answers: 10, Buyers: 7, Orders: 5, Perhaps: 2}, verdict.Told)
	require.Equal(t, []string{"case", "phone"}, []string{verdict.Items[0].SKU, verdict.Items[1].SKU})
	require.Empty(t, verdict.Examples)
}

func TestWithoutAHistoryLossIsNotJudged(t *testing.T) {
	s, _ := goodSale()
	verdict, err := Judge(t.Context(), s, "spring", nil)
	require.NoError(t, err)
	require.True(t, verdict.Good)
	require.Nil(t, verdict.Lost)
	require.Nil(t, verdict.Told)
	var text bytes.Buffer
	_, err = verdict.WriteTo(&text)
	require.NoError(t, err)
	require.Contains(t, text.String(), "lost not judged")
	require.Contains(t, text.String(), "sale spring: good")
}

// phones are the lines of a press for phones.
func phones(quantity int) []Asked { return []Asked{{"phone", quantity}} }

// finding is the result that a verdict must have for a seeded fault.
type finding struct{ oversold, duplicated, missing, inFlight, lost, untold int64 }

// fault breaks the rows of a good sale or the answers to its buyers.
type fault struct {
	seed func(s *shop, history *[]Told)
	want finding
}

// stockFaults break rows and counters.
func stockFaults() map[string]fault {
	return map[string]fault{
		"row lost, counter not": {func(s *shop, _ *[]Told) {
			s.drop(s.orderOf("ben"))
		}, finding{missing: 1, lost: 1}},
		"row and counter lost": {func(s *shop, _ *[]Told) {
			s.drop(s.orderOf("ben"))
			s.change("phone", func(units *sale.Stock) { units.Settled-- })
		}, finding{missing: 1, lost: 1}},
		"row lost, unit sold again as if it never was": {func(s *shop, _ *[]Told) {
			s.drop(s.orderOf("ben"))
			s.change("phone", func(units *sale.Stock) { units.Settled--; units.Available++ })
		}, finding{lost: 1}},
		"row under another id": {func(s *shop, _ *[]Told) {
			s.orderOf("ben").OrderID = 99
		}, finding{lost: 1, untold: 1}},
		"row of another buyer": {func(s *shop, _ *[]Told) {
			s.orderOf("ben").BuyerID = "zoe"
		}, finding{lost: 1}},
		"row of another SKU": {func(s *shop, _ *[]Told) {
			s.orderOf("ben").Lines = lines("case", 1)
		}, finding{missing: 2, lost: 1}},
		"oversold with honest counters": {func(s *shop, _ *[]Told) {
			for i := range 6 {
				s.write(sale.Order{Lines: lines("phone", 1), BuyerID: fmt.Sprintf("stranger-%d", i)})
			}
		}, finding{oversold: 2}},
		"oversold behind the counters' back": {func(s *shop, _ *[]Told) {
			for i := range 6 {
				s.orders = append(s.orders, &sale.Order{
					OrderID: sale.OrderID(5000 + i), Lines: lines("phone", 1), BuyerID: fmt.Sprintf("stranger-%d", i),
					Status: sale.StatusPaid,
				})
			}
		}, finding{oversold: 2, missing: 6}},
		"rows of a SKU that was never loaded": {func(s *shop, _ *[]Told) {
			s.orders = append(s.orders, &sale.Order{OrderID: 7, Lines: lines("ghost", 2), BuyerID: "ann",
				Status: sale.StatusConfirmed})
		}, finding{oversold: 2, missing: 2}},
		"units appear in Redis": {func(s *shop, _ *[]Told) {
			s.change("phone", func(units *sale.Stock) { units.Available += 3 })
		}, finding{oversold: 3}},
		"units leak": {func(s *shop, _ *[]Told) {
			s.change("case", func(units *sale.Stock) { units.Available -= 2 })
		}, finding{missing: 2}},
		"released twice": {func(s *shop, _ *[]Told) {
			s.change("phone", func(units *sale.Stock) { units.Released += 2; units.Available += 2 })
		}, finding{missing: 2}},
		"still in flight": {func(s *shop, _ *[]Told) {
			s.change("phone", func(units *sale.Stock) { units.Available--; units.InFlight++ })
		}, finding{inFlight: 1}},
	}
}

// promiseFaults break what a buyer may rely on.
func promiseFaults() map[string]fault {
	return map[string]fault{
		"buyer above the limit": {func(s *shop, _ *[]Told) {
			s.write(sale.Order{Lines: lines("phone", 3), BuyerID: "stranger"})
			s.write(sale.Order{Lines: lines("phone", 1), BuyerID: "stranger"})
		}, finding{duplicated: 1}},
		"one press, two confirmed orders": {func(s *shop, history *[]Told) {
			s.write(sale.Order{Lines: lines("phone", 1), BuyerID: "ben"})
			second := s.orders[len(s.orders)-1].OrderID
			*history = append(*history, Told{Buyer: "ben", Sale: "spring", Lines: phones(1), Key: "b1", Code: "queued",
				orderID: second})
		}, finding{duplicated: 1}},
		"one order of a buyer for two presses": {func(s *shop, history *[]Told) {
			*history = append(*history, Told{
				Buyer: "ben", Sale: "spring", Lines: []Asked{{"phone", 1}, {"case", 1}}, Key: "b2", Code: "queued",
				orderID: s.orderOf("ben").OrderID,
			})
		}, finding{duplicated: 1}},
		"row of the basket lacks a line": {func(s *shop, history *[]Told) {
			s.buy(pressKey{"hal", "h1"}, Asked{"phone", 1}, Asked{"case", 2})
			o := s.orderOf("hal")
			*history = append(*history, Told{
				Buyer: "hal", Sale: "spring", Lines: []Asked{{"case", 2}, {"phone", 1}}, Key: "h1", Code: "queued",
				orderID: o.OrderID,
			})
			o.Lines = o.Lines[:1]
		}, finding{missing: 2, lost: 1, untold: 1}},
		"a doubt about one basket explains no other": {func(s *shop, history *[]Told) {
			s.buy(pressKey{"hal", "h1"}, Asked{"phone", 1}, Asked{"case", 2})
			*history = append(*history, Told{
				Buyer: "hal", Sale: "spring", Lines: []Asked{{"phone", 1}, {"case", 1}}, Key: "h2", Code: CodeNoAnswer,
			})
		}, finding{untold: 1}},
		"sale limit": {func(s *shop, _ *[]Told) {
			s.sale.SaleLimit = 4
			s.buy(pressKey{"stranger", ""}, Asked{"phone", 3}, Asked{"case", 2})
		}, finding{duplicated: 1}},
		"one order, two buyers": {func(s *shop, history *[]Told) {
			*history = append(*history, Told{
				Buyer: "zoe", Sale: "spring", Lines: phones(1), Key: "z1", Code: "queued", orderID: s.orderOf("ben").OrderID,
			})
		}, finding{duplicated: 1}},
		"refused buyer has an order": {func(s *shop, history *[]Told) {
			s.write(sale.Order{Lines: lines("phone", 1), BuyerID: "dan"})
		}, finding{untold: 1}},
		"second order without an answer": {func(s *shop, _ *[]Told) {
			s.write(sale.Order{Lines: lines("phone", 1), BuyerID: "cat"})
		}, finding{untold: 1}},
		"doubt cleared, then an order without an answer": {func(s *shop, history *[]Told) {
			*history = append(*history, Told{
				Buyer: "eve", Sale: "spring", Lines: phones(1), Key: "e1", Code: "replayed", orderID: s.orderOf("eve").OrderID,
			})
			s.write(sale.Order{Lines: lines("phone", 1), BuyerID: "eve"})
		}, finding{untold: 1}},
		"key answered with an order that is not there": {func(_ *shop, history *[]Told) {
			*history = append(*history, Told{Buyer: "dan", Sale: "spring", Lines: phones(1), Key: "d2", Code: "already_bought",
				orderID: 77})
		}, finding{lost: 1}},
	}
}

// For each seeded fault of an engine the verdict must be bad and name the fault.
func TestVerdictFindsEverySeededFault(t *testing.T) {
	faults := stockFaults()
	maps.Copy(faults, promiseFaults())
	for name, tc := range faults {
		t.Run(name, func(t *testing.T) {
			s, history := goodSale()
			tc.seed(s, &history)
			verdict := verdictOf(t, s, history)
			require.False(t, verdict.Good)
			require.Equal(t, tc.want, finding{
				verdict.Oversold, verdict.Duplicated, verdict.Missing, verdict.InFlight, *verdict.Lost, *verdict.Untold,
			}, "%v", verdict.Examples)
			var text bytes.Buffer
			_, err := verdict.WriteTo(&text)
			require.NoError(t, err)
			require.Contains(t, text.String(), "BAD")
		})
	}
}

func TestWhatIsAllowedStaysGood(t *testing.T) {
	for name, change := range map[string]func(s *shop, history *[]Told){
		"promised, then refused with a reason": func(s *shop, _ *[]Told) {
			o := s.orderOf("ben")
			o.Status, o.Reason = sale.StatusRefused, sale.ReasonFenced
			s.change("phone", func(units *sale.Stock) { units.Settled--; units.Available++ })
		},
		"refused row without an answer": func(s *shop, _ *[]Told) {
			s.orders = append(s.orders, &sale.Order{OrderID: 5, Lines: lines("phone", 1), BuyerID: "dan",
				Status: sale.StatusRefused})
		},
		"one press, two promises, one of them refused": func(s *shop, history *[]Told) {
			s.orders = append(s.orders, &sale.Order{OrderID: 5, Lines: lines("phone", 1), BuyerID: "ben",
				Status: sale.StatusRefused})
			*history = append(*history, Told{Buyer: "ben", Sale: "spring", Lines: phones(1), Key: "b1", Code: "queued",
				orderID: 5})
		},
		"buyers without a line in the history": func(s *shop, _ *[]Told) {
			s.write(sale.Order{Lines: lines("phone", 3), BuyerID: "stranger"})
		},
		"lines in another order": func(s *shop, history *[]Told) {
			order, _ := s.buy(pressKey{"hal", "h1"}, Asked{"phone", 1}, Asked{"case", 2})
			*history = append(*history,
				Told{Buyer: "hal", Sale: "spring", Lines: []Asked{{"case", 2}, {"phone", 1}}, Key: "h1", Code: "queued",
					orderID: order.OrderID},
				Told{Buyer: "hal", Sale: "spring", Lines: []Asked{{SKU: "case"}}, Key: "h1", Code: "idempotency_key_reused",
					orderID: order.OrderID})
		},
		"answers of another sale": func(_ *shop, history *[]Told) {
			*history = append(*history, Told{Buyer: "ben", Sale: "autumn", Lines: phones(1), Code: "queued", orderID: 5})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, history := goodSale()
			change(s, &history)
			verdict := verdictOf(t, s, history)
			require.True(t, verdict.Good, "%+v", verdict)
		})
	}
}

func TestExamplesAreBounded(t *testing.T) {
	s, history := goodSale()
	for i := range 3 * maxExamples {
		history = append(history, Told{Buyer: fmt.Sprint("b", i), Sale: "spring", Lines: phones(1), Code: "queued",
			orderID: sale.OrderID(i + 1)})
	}
	verdict := verdictOf(t, s, history)
	require.Len(t, verdict.Examples, maxExamples)
	require.EqualValues(t, 3*maxExamples, *verdict.Lost)
}

// faultyBooks fails at one of its calls.
type faultyBooks struct {
	*shop
	sale, stock, orders error
}

func (f *faultyBooks) Sale(ctx context.Context, id string) (sale.Sale, error) {
	if f.sale != nil {
		return sale.Sale{}, f.sale
	}
	return f.shop.Sale(ctx, id)
}

func (f *faultyBooks) Stock(ctx context.Context, id string) (map[string]sale.Stock, error) {
	if f.stock != nil {
		return nil, f.stock
	}
	return f.shop.Stock(ctx, id)
}

func (f *faultyBooks) EachOrder(ctx context.Context, id string, each func(sale.Order) error) error {
	if f.orders != nil {
		return f.orders
	}
	return f.shop.EachOrder(ctx, id, each)
}

func TestBooksThatCannotBeReadAreNoVerdict(t *testing.T) {
	away := errors.New("connection refused")
	s, _ := goodSale()
	for _, books := range []*faultyBooks{{s, away, nil, nil}, {s, nil, away, nil}, {s, nil, nil, away}} {
		_, err := Judge(t.Context(), books, "spring", nil)
		require.ErrorIs(t, err, away)
	}
	_, err := Judge(t.Context(), s, "autumn", nil)
	require.ErrorIs(t, err, sale.ErrNotFound)
	s.orders[0].Status = sale.StatusHeld
	_, err = Judge(t.Context(), s, "spring", nil)
	require.ErrorContains(t, err, "is not a status of a row")
}

func TestWaitDrained(t *testing.T) {
	s, _ := goodSale()
	require.NoError(t, WaitDrained(t.Context(), s, "spring", time.Hour), "at once")
	s.change("phone", func(units *sale.Stock) { units.InFlight = 1 })
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.NoError(t, WaitDrained(short, s, "spring", time.Millisecond), "the verdict shows what is in flight")
	away := errors.New("connection refused")
	again, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, WaitDrained(again, &faultyBooks{shop: s, stock: away}, "spring", time.Millisecond), away)
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	require.NoError(t, WaitDrained(over, &faultyBooks{shop: s, stock: context.DeadlineExceeded}, "spring", time.Millisecond),
		"a reading that the end of the wait has cut off says nothing of the books")
	time.AfterFunc(10*time.Millisecond, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.change("phone", func(units *sale.Stock) { units.InFlight = 0 })
	})
	require.NoError(t, WaitDrained(t.Context(), s, "spring", time.Millisecond))
}

// An unknown sale and a refused token do not change with time, so both are errors at once.
func TestWaitDrainedEndsWhereWaitingIsNoUse(t *testing.T) {
	s, _ := goodSale()
	for _, why := range []error{sale.ErrNotFound, ErrRefused} {
		long, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		require.ErrorIs(t, WaitDrained(long, &faultyBooks{shop: s, stock: why}, "spring", time.Hour), why)
		require.NoError(t, long.Err(), "it did not wait")
	}
}
