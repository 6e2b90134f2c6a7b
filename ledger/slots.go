package ledger

// Slots are the units of a SKU that a buyer has taken, out of 0 to limit-1, a bit each. Each is one row under a unique key,
// so the key enforces the limit.
type Slots [2]uint64

const maxSlots = 128 // above sale.MaxLimit

// Set marks a slot as taken. It ignores a slot outside 0 to maxSlots-1.
func (s *Slots) Set(slot int) {
	if slot >= 0 && slot < maxSlots {
		s[slot/64] |= 1 << (slot % 64)
	}
}

func (s *Slots) taken(slot int) bool { return s[slot/64]&(1<<(slot%64)) != 0 }

// take takes the lowest n free slots below limit and returns them. It takes none and returns nil if fewer are free.
func (s *Slots) take(n, limit int) []int {
	free := make([]int, 0, n)
	for slot := 0; slot < limit && len(free) < n; slot++ {
		if !s.taken(slot) {
			free = append(free, slot)
		}
	}
	if len(free) < n {
		return nil
	}
	for _, slot := range free {
		s.Set(slot)
	}
	return free
}
