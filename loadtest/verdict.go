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

// Books is what the verdict reads: the database's order rows and the stock equation's terms of each SKU.
type Books interface {
	Sale(ctx context.Context, saleID string) (sale.Sale, error)
	Stock(ctx context.Context, saleID string) (map[string]sale.Stock, error)
	EachOrder(ctx context.Context, saleID string, each func(sale.Order) error) error
}

// Verdict is the judgement of one sale. The members that only a history can tell are nil without one: not judged.
type Verdict struct {
	Sale  string        `json:"sale"`
	Good  bool          `json:"good"`
	Items []ItemVerdict `json:"items"`

	Sold       int64  `json:"sold"`       // units of order rows that stand
	Oversold   int64  `json:"oversold"`   // units beyond what was loaded, or that the equation has too many
	Duplicated int64  `json:"duplicated"` // units beyond a buyer's limit, and second orders of one idempotency key
	Missing    int64  `json:"missing"`    // units that the equation has too few, or rows and counters disagree about
	InFlight   int64  `json:"in_flight"`  // units not settled yet: the books are not final
	Lost       *int64 `json:"lost"`       // orders promised to a buyer that have no row of his
	Untold     *int64 `json:"untold"`     // order rows of buyers who heard nothing but refusals

	Told     *ToldCounts `json:"told"`     // nil without a history
	Refused  int64       `json:"refused"`  // rows that ended as refused: promised or not, the buyer can read why
	Examples []string    `json:"examples"` // the first findings, by id
}

// ItemVerdict is the judgement of one SKU's books.
type ItemVerdict struct {
	SKU string `json:"sku"`
	sale.Stock
	Difference int64 `json:"difference"` // of the stock equation
	Sold       int64 `json:"sold"`
	Oversold   int64 `json:"oversold"`
}

// ToldCounts sums up what buyers were told.
type ToldCounts struct {
	Answers int64 `json:"answers"`
	Buyers  int64 `json:"buyers"`  // distinct, per SKU
	Orders  int64 `json:"orders"`  // distinct order ids promised
	Perhaps int64 `json:"perhaps"` // buyers whose last word was perhaps: either outcome is right
}

// maxExamples bounds the findings that are named.
const maxExamples = 20

// ErrRefused is wrapped by errors of Books that no waiting mends, such as a token that is not the operators'.
var ErrRefused = errors.New("refused")

// WaitDrained returns once no unit of the sale is in flight, or when ctx is done: that too is no error, the verdict shows
// what is still in flight. Books that cannot be read are asked again until ctx is done, and then are an error; a sale that
// is not there (sale.ErrNotFound) and books that refuse (ErrRefused) are one at once.
func WaitDrained(ctx context.Context, books Books, saleID string, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		stock, err := books.Stock(ctx, saleID)
		if err == nil && sumStock(stock).InFlight == 0 {
			return nil
		}
		if errors.Is(err, sale.ErrNotFound) || errors.Is(err, ErrRefused) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if err != nil {
				return fmt.Errorf("wait until sale %s is settled: %w", saleID, err)
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

// Judge reads the books of a sale and holds them against the promise; with a memory, also against what buyers were told.
// An error means that the books could not be read, not that they are bad.
func Judge(ctx context.Context, books Books, saleID string, memory *Memory) (*Verdict, error) {
	definition, err := books.Sale(ctx, saleID)
	if err != nil {
		return nil, fmt.Errorf("read sale %s: %w", saleID, err)
	}
	j := &judge{
		verdict: &Verdict{Sale: saleID, Examples: []string{}}, limit: int64(definition.PerBuyerLimit),
		rows: map[string]*rowUnits{}, holders: map[holder]int64{}, memory: memory,
	}
	// Rows first: a unit settled between the two readings then shows in the counters only, and is counted as missing
	// rather than overlooked.
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
	written  int64 // every row but the refused: what the settled counter counts
	released int64 // cancelled or expired
}

// holder is one buyer of one SKU.
type holder struct{ sku, buyer string }

type judge struct {
	verdict *Verdict
	limit   int64
	rows    map[string]*rowUnits
	holders map[holder]int64 // standing units
	memory  *Memory
}

// row takes one order row into account.
func (j *judge) row(o sale.Order) error {
	units := j.rows[o.SKU]
	if units == nil {
		units = &rowUnits{}
		j.rows[o.SKU] = units
	}
	stands := false
	switch o.Status {
	case sale.StatusRefused:
		j.verdict.Refused++
	case sale.StatusCancelled, sale.StatusExpired:
		units.written += int64(o.Quantity)
		units.released += int64(o.Quantity)
	case sale.StatusConfirmed, sale.StatusPaid:
		stands = true
		units.written += int64(o.Quantity)
		units.standing += int64(o.Quantity)
		j.holders[holder{o.SKU, o.BuyerID}] += int64(o.Quantity)
	default:
		return fmt.Errorf("order %s has the status %q, which no row can have", o.OrderID, o.Status)
	}
	if j.memory != nil {
		j.memory.seen(&o, stands)
	}
	return nil
}

// judgeItems holds each SKU's rows against its counters and the stock equation.
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

// judgeBuyers finds buyers who hold more than the limit.
func (j *judge) judgeBuyers() {
	for who, units := range j.holders {
		if units > j.limit {
			j.verdict.Duplicated += units - j.limit
			j.example("%s: buyer %s holds %d units, the limit is %d", who.sku, who.buyer, units, j.limit)
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
