package loadtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"flashsale/sale"
)

// Books is what the verdict reads: the database's order rows and the terms of each SKU's stock equation.
type Books interface {
	Sale(ctx context.Context, saleID string) (sale.Sale, error)
	Stock(ctx context.Context, saleID string) (map[string]sale.Stock, error)
	EachOrder(ctx context.Context, saleID string, each func(sale.Order) error) error
}

// Verdict is the judgement of one sale. Members that need a history are nil without one: not judged.
type Verdict struct {
	Sale  string        `json:"sale"`
	Good  bool          `json:"good"`
	Items []ItemVerdict `json:"items"`

	Sold       int64  `json:"sold"`       // units of confirmed and paid order rows
	Oversold   int64  `json:"oversold"`   // units beyond those loaded, or too many in the equation
	Duplicated int64  `json:"duplicated"` // units beyond a buyer's limit, and second orders of one idempotency key
	Missing    int64  `json:"missing"`    // units missing from the equation, or differing between rows and counters
	InFlight   int64  `json:"in_flight"`  // units not settled yet: the rows are not final
	Lost       *int64 `json:"lost"`       // orders promised to a buyer without a row of that buyer
	Untold     *int64 `json:"untold"`     // order rows of buyers who were only refused

	Told     *ToldCounts `json:"told"`     // nil without a history
	Refused  int64       `json:"refused"`  // rows that ended as refused; promised or not, the buyer can read the reason
	Examples []string    `json:"examples"` // the first findings, by id
}

// ItemVerdict is the judgement of one SKU.
type ItemVerdict struct {
	SKU string `json:"sku"`
	sale.Stock
	Difference int64 `json:"difference"` // of the stock equation
	Sold       int64 `json:"sold"`
	Oversold   int64 `json:"oversold"`
}

// ToldCounts are the totals of the answers to buyers.
type ToldCounts struct {
	Answers int64 `json:"answers"`
	Buyers  int64 `json:"buyers"`  // distinct
	Orders  int64 `json:"orders"`  // distinct order ids promised
	Perhaps int64 `json:"perhaps"` // buyers whose last answer left the outcome unknown: an order or none is right
}

// maxExamples bounds the findings that are named.
const maxExamples = 20

// ErrRefused is wrapped by errors of Books that waiting cannot change, such as a token that is not the operators'.
var ErrRefused = errors.New("refused")

// WaitDrained returns when no unit of the sale is in flight, or when ctx is done. The end of ctx is not an error: the
// verdict shows the units that are still in flight. A failed reading is repeated until ctx is done and is an error
// then, unless the end of ctx has made it fail; an unknown sale (sale.ErrNotFound) and a refusal (ErrRefused) are errors at once.
func WaitDrained(ctx context.Context, books Books, saleID string, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var failed error // of the last reading that was not cut off
	for {
		stock, err := books.Stock(ctx, saleID)
		if ctx.Err() == nil {
			failed = err
		}
		if err == nil && sumStock(stock).InFlight == 0 {
			return nil
		}
		if errors.Is(err, sale.ErrNotFound) || errors.Is(err, ErrRefused) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if failed != nil {
				return fmt.Errorf("wait until sale %s is settled: %w", saleID, failed)
			}
			return nil
		}
	}
}

func sumStock(stock map[string]sale.Stock) (sum sale.Stock) {
	for _, s := range stock {
		sum = sum.Add(s)
	}
	return sum
}

// Judge reads the rows and the stock equation of a sale and compares them with the promise; with a memory, also with
// the answers to buyers. An error means that they could not be read, not that the sale is bad.
func Judge(ctx context.Context, books Books, saleID string, memory *Memory) (*Verdict, error) {
	definition, err := books.Sale(ctx, saleID)
	if err != nil {
		return nil, fmt.Errorf("read sale %s: %w", saleID, err)
	}
	j := &judge{
		verdict: &Verdict{Sale: saleID, Examples: []string{}}, limits: limitsOf(&definition),
		rows: map[string]*rowUnits{}, holders: map[holder]int64{}, memory: memory,
	}
	// Rows are read first: a unit settled between the two readings is then only in the counters and counts as missing;
	// in the other order it would be overlooked.
	if err := books.EachOrder(ctx, saleID, j.row); err != nil {
		return nil, fmt.Errorf("read orders of sale %s: %w", saleID, err)
	}
	stock, err := books.Stock(ctx, saleID)
	if err != nil {
		return nil, fmt.Errorf("read stock of sale %s: %w", saleID, err)
	}
	j.judgeItems(stock)
	j.judgeBuyers()
	if memory != nil {
		j.judgeMemory()
	}
	return j.conclude(), nil
}

// rowUnits are the units of one SKU's order rows.
type rowUnits struct {
	standing int64 // confirmed or paid
	written  int64 // every row except refused ones: the units of the settled counter
	released int64 // cancelled or expired
}

// holder is one buyer of one SKU, of the whole sale where sku is empty.
type holder struct{ sku, buyer string }

type judge struct {
	verdict *Verdict
	limits  map[string]int64 // units per buyer by SKU; of the empty SKU for the whole sale, 0 = none
	rows    map[string]*rowUnits
	holders map[holder]int64 // confirmed and paid units
	memory  *Memory
}

func limitsOf(s *sale.Sale) map[string]int64 {
	limits := map[string]int64{"": int64(s.SaleLimit)}
	for i := range s.Items {
		limits[s.Items[i].SKU] = int64(s.LimitOf(&s.Items[i]))
	}
	return limits
}

// row counts one order row.
func (j *judge) row(o sale.Order) error {
	stands := o.Status == sale.StatusConfirmed || o.Status == sale.StatusPaid
	released := o.Status == sale.StatusCancelled || o.Status == sale.StatusExpired
	switch {
	case o.Status == sale.StatusRefused:
		j.verdict.Refused++
	case !stands && !released:
		return fmt.Errorf("order %s has the status %q, which is not a status of a row", o.OrderID, o.Status)
	}
	for i := range o.Lines {
		j.line(&o.Lines[i], o.BuyerID, stands, released)
	}
	if j.memory != nil {
		j.memory.seen(&o, stands)
	}
	return nil
}

// line counts one line of an order row; one that is neither standing nor released was refused.
func (j *judge) line(l *sale.Line, buyer string, stands, released bool) {
	units := j.rows[l.SKU]
	if units == nil {
		units = &rowUnits{}
		j.rows[l.SKU] = units
	}
	quantity := int64(l.Quantity)
	switch {
	case released:
		units.written += quantity
		units.released += quantity
	case stands:
		units.written += quantity
		units.standing += quantity
		j.holders[holder{l.SKU, buyer}] += quantity
		j.holders[holder{"", buyer}] += quantity
	}
}

// judgeItems compares each SKU's rows with its counters and the stock equation.
func (j *judge) judgeItems(stock map[string]sale.Stock) {
	for sku := range j.rows {
		if _, known := stock[sku]; !known {
			stock[sku] = sale.Stock{} // rows of a SKU without stock: all of them are oversold
		}
	}
	for _, sku := range slices.Sorted(maps.Keys(stock)) {
		books, rows := stock[sku], j.rows[sku]
		if rows == nil {
			rows = &rowUnits{}
		}
		difference := books.Difference()
		item := ItemVerdict{
			SKU: sku, Stock: books, Difference: difference, Sold: rows.standing,
			Oversold: max(0, rows.standing-books.Loaded, -difference),
		}
		missing := max(0, difference)
		if books.Settled != rows.written || books.Released != rows.released {
			missing = max(missing, abs(books.Settled-rows.written), abs(books.Released-rows.released))
			j.example("%s: the counters say %d settled and %d released, the rows %d and %d",
				sku, books.Settled, books.Released, rows.written, rows.released)
		}
		if difference != 0 {
			j.example("%s: the stock equation is off by %d", sku, difference)
		}
		j.verdict.Items = append(j.verdict.Items, item)
		j.verdict.Sold += item.Sold
		j.verdict.Oversold += item.Oversold
		j.verdict.Missing += missing
		j.verdict.InFlight += books.InFlight
	}
}

// judgeBuyers finds buyers who own more than the limit.
func (j *judge) judgeBuyers() {
	for who, units := range j.holders {
		limit, known := j.limits[who.sku]
		switch {
		case !known || units <= limit || who.sku == "" && limit == 0: // of a SKU that the sale lacks every unit is oversold
		case who.sku == "":
			j.verdict.Duplicated += units - limit
			j.example("buyer %s owns %d units of the sale, the limit is %d", who.buyer, units, limit)
		default:
			j.verdict.Duplicated += units - limit
			j.example("%s: buyer %s owns %d units, the limit is %d", who.sku, who.buyer, units, limit)
		}
	}
}

func (j *judge) conclude() *Verdict {
	v := j.verdict
	zero := func(n *int64) bool { return n == nil || *n == 0 }
	v.Good = v.Oversold == 0 && v.Duplicated == 0 && v.Missing == 0 && v.InFlight == 0 && zero(v.Lost) && zero(v.Untold)
	return v
}

func (j *judge) example(format string, args ...any) {
	if len(j.verdict.Examples) < maxExamples {
		j.verdict.Examples = append(j.verdict.Examples, fmt.Sprintf(format, args...))
	}
}

func abs(n int64) int64 { return max(n, -n) }
