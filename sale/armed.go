package sale

import "time"

// Armed reports whether a sale may sell between now and now + within: it is preloaded, open or paused, and its window has
// begun or begins in that time, and is not over. While a sale is armed, no new version is rolled out.
func (s *Sale) Armed(now time.Time, within time.Duration) bool {
	switch s.State {
	case StatePreloaded, StateOpen, StatePaused:
		return !now.Add(within).Before(s.StartsAt.Time) && now.Before(s.EndsAt.Time)
	default: // a draft has no stock to sell, and what is closed or archived never sells again
		return false
	}
}
