package terminal

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"flashsale/sale"
)

// WriteSale writes a sale: its definition, then a row for each SKU. Of an archived sale the rows are its final books, of a draft
// the stock that it will load. rows and live are the numbers now; live is nil where they are not known.
func WriteSale(out io.Writer, s *Sale, live *Live, rows []Row, now time.Time) error {
	if err := writeHead(out, s, live, now); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	switch {
	case s.State == sale.StateArchived:
		writeBooks(table, s)
	case s.State == sale.StateDraft, live == nil:
		writeDefinition(table, s)
	default:
		writeUnits(table, s, live, rows)
	}
	return table.Flush()
}

func writeHead(out io.Writer, s *Sale, live *Live, now time.Time) error {
	head := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(head, "%s\t%s\n", name, value) }
	line("sale", s.ID)
	line("name", Plain(s.Name))
	line("state", stateInWindow(s.State, s.StartsAt, s.EndsAt, now))
	if live != nil && live.Sale.Reason != "" {
		line("reason", Plain(live.Sale.Reason))
	}
	line("starts", s.StartsAt.String())
	line("ends", s.EndsAt.String())
	if s.ArchivedAt != nil {
		line("archived", s.ArchivedAt.String())
	}
	line("limits", limits(&s.Sale))
	line("buyers", buyers(s.Eligibility))
	line("payment", payment(s.PaymentTTL))
	line("holds", holds(s.HoldsFrozenSince, now))
	if live != nil && live.Brake != nil {
		line("brake", brakeText(live.Brake))
	}
	line("buckets", fmt.Sprint(s.Buckets))
	fmt.Fprintln(head)
	return head.Flush()
}

func limits(s *sale.Sale) string {
	text := counted(int64(s.PerBuyerLimit), "unit") + " of a SKU for each buyer"
	own := 0
	for i := range s.Items {
		if s.Items[i].PerBuyerLimit != nil {
			own++
		}
	}
	if own > 0 {
		text += fmt.Sprintf(" (%s with a limit of its own)", counted(int64(own), "SKU"))
	}
	if s.SaleLimit > 0 {
		text += fmt.Sprintf(", %d of all SKUs", s.SaleLimit)
	}
	return text
}

func buyers(eligibility sale.Eligibility) string {
	if eligibility == sale.EligibilityList {
		return "those on the list"
	}
	return "everyone with a token"
}

func payment(ttl int64) string {
	if ttl == 0 {
		return "unpaid orders do not expire"
	}
	return "unpaid orders expire after " + Span(time.Duration(ttl)*time.Second)
}

func holds(since *sale.Time, now time.Time) string {
	if since == nil {
		return "not frozen"
	}
	return fmt.Sprintf("%s, since %s: no unpaid order expires", frozen(since, now), since)
}

func brakeText(b *Brake) string {
	return fmt.Sprintf("%d purchases a second since %s: %s", b.PerSecond, b.Since, Plain(b.Reason))
}

// price writes cents as units of the currency.
func price(cents int64, currency string) string {
	return fmt.Sprintf("%d.%02d %s", cents/100, cents%100, currency)
}

func writeUnits(table io.Writer, s *Sale, live *Live, rows []Row) {
	row(table, "SKU", "LOADED", "AVAILABLE", "IN_FLIGHT", "SOLD", "PAID", "UNPAID", "RELEASED", "PRICE")
	units := func(name, price string, u *Units) {
		row(table, name, whole(u.Loaded), whole(u.Available), whole(u.InFlight), whole(u.sold()), whole(u.Paid), whole(u.Unpaid),
			whole(u.Released), price)
	}
	for i := range rows {
		units(rows[i].SKU, price(rows[i].PriceCents, s.Currency), &rows[i].Units)
	}
	if len(rows) > 1 {
		units("all", "", &live.Total)
	}
}

func writeDefinition(table io.Writer, s *Sale) {
	row(table, "SKU", "STOCK", "PRICE")
	for i := range s.Items {
		row(table, s.Items[i].SKU, fmt.Sprint(s.Items[i].Stock), price(s.Items[i].PriceCents, s.Currency))
	}
}

func writeBooks(table io.Writer, s *Sale) {
	row(table, "SKU", "LOADED", "SOLD", "RELEASED", "PRICE")
	books := func(b *sale.FinalBook, price string) {
		row(table, b.SKU, fmt.Sprint(b.Loaded), fmt.Sprint(b.Sold), fmt.Sprint(b.Released), price)
	}
	for i := range s.Books {
		item, _ := s.Item(s.Books[i].SKU)
		books(&s.Books[i], price(item.PriceCents, s.Currency))
	}
	if len(s.Books) > 1 {
		sum := sumOf(s.Books)
		sum.SKU = "all"
		books(&sum, "")
	}
}

// row writes the cells of one row; a table that is right-aligned needs the tab at its end.
func row(table io.Writer, cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")+"\t") }
