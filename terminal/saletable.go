package terminal

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"flashsale/sale"
)

// WriteSales writes a row for each sale. A number that live lacks is shown as -: those of archived sales, and all where live is
// nil. Windows are relative to now.
func WriteSales(out io.Writer, list Sales, live *LiveSales, now time.Time) error {
	numbers := map[string]*Summary{}
	if live != nil {
		for i := range live.Sales {
			numbers[live.Sales[i].ID] = &live.Sales[i]
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SALE\tSTATE\tSTOCK\tSOLD\tUNPAID\tHOLDS\tREASON\tNAME")
	for i := range list.Sales {
		s := &list.Sales[i]
		stock, sold, unpaid, reason := stockOf(&s.Sale), unknown, unknown, ""
		if n := numbers[s.ID]; n != nil {
			sold, unpaid, reason = whole(known(n.Sold)), whole(n.Unpaid), n.Reason
			if s.State != sale.StateDraft {
				stock = n.Loaded
			}
		}
		state := stateInWindow(s.State, s.StartsAt, s.EndsAt, now)
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", s.ID, state, stock, sold, unpaid,
			frozen(s.HoldsFrozenSince, now), Plain(reason), Plain(s.Name))
	}
	return table.Flush()
}

// frozen says for how long the holds are frozen; it is empty where they are not.
func frozen(since *sale.Time, now time.Time) string {
	if since == nil {
		return ""
	}
	return "frozen for " + Span(now.Sub(since.Time))
}
