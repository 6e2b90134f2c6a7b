package series

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// Times and bounds of the judgement.
const (
	JudgeEvery = 10 * time.Second
	halfLife   = 2 * time.Minute // a count of that age counts half
	lingers    = time.Minute     // longer than the interval of any usual scraper
	// replaced bounds the sales that lose their series in one judgement, without those that have counted nothing.
	replaced = 5
	// MaxLeaving is the most sales that lose their series and still have them.
	MaxLeaving = replaced * int(lingers/JudgeEvery)
	// better is how many times as busy a sale must be to take the series of another one: two that are about as busy do not take
	// them from each other in turns.
	better = 2
)

// candidate is a sale that may have series.
type candidate struct {
	*Sale
	heat float64
	rank int
}

// Judge decides which sales have series. The caller calls it every JudgeEvery. rank orders the sales that are equally busy, such
// as those that nobody has pressed yet: the higher come first. It may be nil.
func (f *Family) Judge(now time.Time, rank func(id string) int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.leaving, func(_ *Sale, until time.Time) bool { return !now.Before(until) })
	all := make([]candidate, 0, len(f.sales))
	for id, s := range f.sales {
		if id != Other {
			all = append(all, f.judged(s, rank))
		}
	}
	if len(all) > MaxSales {
		slices.SortFunc(all, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.heat, a.heat), cmp.Compare(b.rank, a.rank), cmp.Compare(a.id, b.id))
		})
	}
	f.replace(all[:min(MaxSales, len(all))], now)
}

// judged cools a sale down and returns how it compares.
func (f *Family) judged(s *Sale, rank func(id string) int) candidate {
	if s.Any() {
		total := s.own.sum() + s.away.sum()
		s.heat = s.heat*math.Exp2(-float64(JudgeEvery)/float64(halfLife)) + float64(total-s.seen)
		s.seen = total
	}
	c := candidate{Sale: s}
	if s.heat >= 1 { // less is as good as nothing, and would decide between sales that ended long ago
		c.heat = s.heat
	}
	if f.shown[s] {
		c.heat *= better
	}
	if rank != nil {
		c.rank = rank(s.id)
	}
	return c
}

// replace gives series to those of the best that have none, the best first, and takes them from sales that are not among the
// best.
func (f *Family) replace(best []candidate, now time.Time) {
	keeps := make(map[*Sale]bool, len(best))
	for _, c := range best {
		keeps[c.Sale] = true
	}
	var leavers []*Sale
	for s := range f.shown {
		if !keeps[s] {
			leavers = append(leavers, s)
		}
	}
	slices.SortFunc(leavers, func(a, b *Sale) int { return cmp.Or(cmp.Compare(a.heat, b.heat), cmp.Compare(a.id, b.id)) })
	left := 0
	for _, c := range best {
		if f.shown[c.Sale] {
			continue
		}
		if len(f.shown) >= MaxSales {
			leaver := leavers[0]
			if leaver.own.sum() > 0 {
				if left == replaced {
					return
				}
				left++
				f.leaving[leaver] = now.Add(lingers)
			}
			leavers = leavers[1:]
			delete(f.shown, leaver)
			leaver.named.Store(false)
		}
		f.show(c.Sale)
	}
}
