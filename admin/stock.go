package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

const (
	fieldKey  = "Idempotency-Key"
	stockPoll = 100 * time.Millisecond // between two looks at units that are being taken back
	putAgain  = 10                     // every tenth look asks the buckets on that had fewer units than asked
)

// stockBody is the body of POST /admin/v1/sales/{sale}/items/{sku}/stock.
type stockBody struct {
	Add     member[int64] `json:"add"`
	Unknown unknown       `json:",unknown"`
}

// stockAnswer is a change of a SKU's stock that is done.
type stockAnswer struct {
	SKU    string `json:"sku"`
	Added  int64  `json:"added"`  // units, negative for those taken back
	Loaded int64  `json:"loaded"` // units of the SKU after the change
}

// changeStock adds units to a SKU, or takes back units that nobody has bought, once for each key. It needs no lease: the
// database decides the change under the locks of the buckets, whatever step of the sale runs.
func (a *API) changeStock(c *call) error {
	ctx, cancel := a.deciding(c)
	defer cancel()
	s, err := a.askedSale(ctx, c)
	if err != nil {
		return err
	}
	change := sale.StockChange{Sale: s.ID, SKU: c.r.PathValue("sku")}
	if _, known := s.Item(change.SKU); !known {
		return sale.ProblemOf(sale.OutcomeSKUNotFound, "sale "+s.ID+" has no SKU "+change.SKU,
			sale.Member{Name: "sku", Value: change.SKU})
	}
	if change.Key, err = c.idempotencyKey(); err != nil {
		return err
	}
	if change.Asked, err = decodeStock(c.body); err != nil {
		return err
	}
	if change, err = a.untilTaken(ctx, change); err != nil {
		return err
	}
	a.opts.Logger.Info("stock changed", "sale", s.ID, "sku", change.SKU, "asked", change.Asked, "added", change.Added,
		"loaded", change.Loaded)
	return c.answer(http.StatusOK, stockAnswer{SKU: change.SKU, Added: change.Added, Loaded: change.Loaded})
}

// idempotencyKey returns the request's key without its quotes.
func (c *call) idempotencyKey() (string, error) {
	values := c.r.Header.Values(fieldKey)
	if len(values) == 0 {
		return "", sale.Fieldf(fieldKey, "is required: one of your own for each change, so that a repeat changes nothing")
	}
	key := values[0]
	if inner, ok := strings.CutPrefix(key, `"`); ok && strings.HasSuffix(inner, `"`) {
		key = strings.TrimSuffix(inner, `"`)
	}
	if len(values) > 1 || !sale.ValidKey(key) {
		return "", sale.Fieldf(fieldKey, `may occur once: 1 to %d characters of printable ASCII without " and \, `+
			"quoted or bare, with no space at the end", sale.MaxKeyBytes)
	}
	return key, nil
}

func decodeStock(body []byte) (int64, error) {
	form := fmt.Sprintf("%d to %d, not 0; a negative number takes back", -sale.MaxStock, sale.MaxStock)
	var in stockBody
	found, err := decodeStrict(body, &in, func(path string) string {
		if path == "add" {
			return form
		}
		return "add"
	})
	if err != nil {
		return 0, err
	}
	found.need("add", in.Add.given)
	if add := in.Add.value; add == 0 || add < -sale.MaxStock || add > sale.MaxStock {
		err = sale.Fieldf("add", "must be %s", form)
	}
	return in.Add.value, found.join(err)
}

// untilTaken makes the change and repeats the call until no unit is on its way back, for StockWait at most.
func (a *API) untilTaken(ctx context.Context, change sale.StockChange) (sale.StockChange, error) {
	waiting, cancel := context.WithTimeout(ctx, a.opts.StockWait)
	defer cancel()
	var err error
	done := role.Until(waiting, role.Always(stockPoll), func() bool {
		change, err = a.deps.Preloads.ChangeStock(ctx, change)
		return err != nil || change.Done
	})
	if err == nil && !done {
		err = stillTaking("repeat the request with the same " + fieldKey)
	}
	return change, err
}

func stillTaking(next string) error {
	return sale.ProblemOf(sale.OutcomeUnavailable, "units are still being taken back: "+next)
}

// awaitTakes waits until every SKU whose stock a definition lowers has given what it has, for StockWait at most, and
// returns the sale as it became: units that buyers have stay in its stock. It runs under the sale's lease.
func (a *API) awaitTakes(ctx context.Context, wanted, stored *sale.Sale) error {
	if stored.State == sale.StateDraft || len(above(stored, wanted)) == 0 {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, a.opts.StockWait)
	defer cancel()
	looks, given := 0, false
	var err error
	done := role.Until(waiting, role.Always(stockPoll), func() bool {
		if looks++; looks%putAgain == 0 {
			*stored, _, err = a.deps.Sales.PutSale(ctx, *wanted)
		} else {
			*stored, err = a.deps.Sales.Sale(ctx, wanted.ID)
		}
		if err == nil {
			given, err = a.givenAll(ctx, stored, above(stored, wanted))
		}
		return err != nil || given
	})
	if err == nil && done { // the last unit may have come back after the sale was read
		*stored, err = a.deps.Sales.Sale(ctx, wanted.ID)
	}
	if err == nil && !done {
		err = stillTaking("repeat the request")
	}
	return err
}

// above returns the SKUs of which the sale has more units than the definition wants.
func above(stored, wanted *sale.Sale) map[string]bool {
	most := make(map[string]int64, len(wanted.Items))
	for i := range wanted.Items {
		most[wanted.Items[i].SKU] = wanted.Items[i].Stock
	}
	skus := map[string]bool{}
	for i := range stored.Items {
		if stock, known := most[stored.Items[i].SKU]; known && stored.Items[i].Stock > stock {
			skus[stored.Items[i].SKU] = true
		}
	}
	return skus
}

// givenAll reports whether Redis has no unit of these SKUs for sale, and none is on its way between it and the database:
// then nothing is left to take back.
func (a *API) givenAll(ctx context.Context, s *sale.Sale, skus map[string]bool) (bool, error) {
	if len(skus) == 0 {
		return true, nil
	}
	positions, err := readPositions(ctx, a.deps.Preloads, a.deps.Stock, s.ID)
	if err != nil {
		return false, err
	}
	for i := range positions {
		if !positions[i].Coherent {
			return false, nil
		}
		for j := range positions[i].shelves {
			if shelf := &positions[i].shelves[j]; skus[shelf.sku] && (shelf.Available > 0 || shelf.returning != 0) {
				return false, nil
			}
		}
	}
	return true, nil
}

// changedBy makes the definition's change of a sale, waits for the units that it takes back, and gives Redis the window.
func (a *API) changedBy(ctx context.Context, wanted *sale.Sale) (stored sale.Sale, created bool, err error) {
	if stored, created, err = a.deps.Sales.PutSale(ctx, *wanted); err != nil {
		return stored, created, err
	}
	if err = a.carryWindow(ctx, &stored); err != nil {
		return stored, created, err
	}
	return stored, created, a.awaitTakes(ctx, wanted, &stored)
}
