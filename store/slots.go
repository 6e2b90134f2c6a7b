package store

import "flashsale/sale"

// slots are the units of a SKU that a buyer has taken, out of 0 to limit-1. Each is one row under a unique key, which
// makes the key the last word on the limit.
type slots [sale.MaxLimit]bool

// set marks a slot as taken; one beyond the highest limit is from a future schema and counts as none.
func (s *slots) set(slot int) {
	if slot >= 0 && slot < len(s) {
		s[slot] = true
	}
}

// take takes the lowest n free slots below limit and returns them, nil when fewer are free.
func (s *slots) take(n, limit int) []int {
	free := make([]int, 0, n)
	for slot := 0; slot < limit && len(free) < n; slot++ {
		if !s[slot] {
			free = append(free, slot)
		}
	}
	if len(free) < n {
		return nil
	}
	for _, slot := range free {
		s[slot] = true
	}
	return free
}
