package terminal

import (
	"fmt"
	"time"
)

// shownTable is the rows of a frame; chosen is the place of one of them, -1 for none.
type shownTable struct {
	grid   grid
	chosen int
}

const waiting = "waiting for the first numbers"

func (s *screen) listHead(now time.Time) []string {
	if s.sales == nil {
		return []string{s.style.bold("flashsale"), waiting}
	}
	title := fmt.Sprintf("%s   %s   %s", s.style.bold("flashsale"), counted(int64(len(s.sales.Sales)), "sale"),
		s.clock(s.sales.At.Time, now))
	return append([]string{title}, s.deployment(s.sales.Processes, s.sales.Stores)...)
}

func (s *screen) listTable(now time.Time) shownTable {
	table := shownTable{chosen: -1}
	found := s.listed()
	if len(found) == 0 {
		return table
	}
	then := s.sales.At.Add(now.Sub(s.read))
	table.grid.titles = []string{"SALE", "STATE", "LOADED>", "SOLD>", "UNPAID>", "AVAILABLE>", "PRESSES/S>", "ORDERS/S>",
		"REFUSED/S>", "HOLDS", "NAME"}
	for _, one := range found {
		table.grid.rows = append(table.grid.rows, []string{
			one.ID, stateInWindow(one.State, one.StartsAt, one.EndsAt, then), whole(known(one.Loaded)), whole(known(one.Sold)),
			whole(one.Unpaid), whole(one.Available), rate(one.PressesPerS), rate(one.OrdersPerS), rate(one.RefusedPerS),
			frozen(one.HoldsFrozenSince, then), Plain(one.Name),
		})
	}
	if s.style.on {
		table.chosen = listPlace(found, s.chosenID)
	}
	return table
}
