package terminal

import (
	"fmt"
	"strings"
	"time"

	"flashsale/sale"
)

// SaleLine says in one line what the answer of a change has of a sale: its state, its window, and that its holds are frozen.
func SaleLine(answer []byte, now time.Time) (string, error) {
	s, err := ReadSale(answer)
	if err != nil {
		return "", err
	}
	notes := []string{}
	if in := window(s.State, s.StartsAt, s.EndsAt, now); in != "" {
		notes = append(notes, in)
	}
	if s.HoldsFrozenSince != nil {
		notes = append(notes, "holds frozen for "+Span(now.Sub(s.HoldsFrozenSince.Time)))
	}
	line := fmt.Sprintf("sale %s: %s", s.ID, s.State)
	if len(notes) > 0 {
		line += " (" + strings.Join(notes, ", ") + ")"
	}
	return line, nil
}

// CreatedLine is SaleLine with what the sale sells.
func CreatedLine(answer []byte, now time.Time) (string, error) {
	s, err := ReadSale(answer)
	if err != nil {
		return "", err
	}
	line, err := SaleLine(answer, now)
	return fmt.Sprintf("%s, %s of %s", line, counted(stockOf(&s.Sale), "unit"), counted(int64(len(s.Items)), "SKU")), err
}

// ArchivedLine says that a sale is archived, with the sums of its final books, or that a draft is deleted.
func ArchivedLine(answer []byte) (string, error) {
	gone, err := decode[struct {
		Sale    string `json:"sale"`
		Deleted bool   `json:"deleted"`
	}](answer, "the archived sale")
	if err != nil {
		return "", err
	}
	if gone.Deleted {
		return fmt.Sprintf("sale %s: deleted, it was a draft", gone.Sale), nil
	}
	s, err := ReadSale(answer)
	if err != nil {
		return "", err
	}
	sum := sumOf(s.Books)
	return fmt.Sprintf("sale %s: %s, %d of %s sold", s.ID, s.State, sum.Sold, counted(sum.Loaded, "unit")), nil
}

// BuyersLine says how many buyers the list of a sale has.
func BuyersLine(id string, answer []byte) (string, error) {
	list, err := decode[struct {
		Buyers int64 `json:"buyers"`
	}](answer, "the list of buyers")
	return fmt.Sprintf("sale %s: the list has %s", id, counted(list.Buyers, "buyer")), err
}

// StockLine says what a stock change has done.
func StockLine(id string, answer []byte) (string, error) {
	change, err := decode[struct {
		SKU    string `json:"sku"`
		Added  int64  `json:"added"`
		Loaded int64  `json:"loaded"`
	}](answer, "the stock change")
	what := counted(change.Added, "unit") + " added"
	if change.Added < 0 {
		what = counted(-change.Added, "unit") + " taken back"
	}
	return fmt.Sprintf("sale %s: %s: %s, %d loaded", id, change.SKU, what, change.Loaded), err
}

// counted is a number with its noun, in the plural unless it is one.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// stockOf sums the stock that a definition gives its SKUs.
func stockOf(s *sale.Sale) (units int64) {
	for i := range s.Items {
		units += s.Items[i].Stock
	}
	return units
}

func sumOf(books []sale.FinalBook) (sum sale.FinalBook) {
	for i := range books {
		sum.Loaded += books[i].Loaded
		sum.Settled += books[i].Settled
		sum.Released += books[i].Released
		sum.Sold += books[i].Sold
	}
	return sum
}
