package sale

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestArmed: a sale is armed from the given time before its window until the end of the window, in the states from which
// it can sell.
func TestArmed(t *testing.T) {
	starts := time.Date(2027, 11, 11, 0, 0, 0, 0, time.UTC)
	s := &Sale{State: StateOpen, StartsAt: Time{starts}, EndsAt: Time{starts.Add(2 * time.Hour)}}
	for after, armed := range map[time.Duration]bool{
		-time.Hour - time.Millisecond: false, -time.Hour: true, 0: true,
		2*time.Hour - time.Millisecond: true, 2 * time.Hour: false,
	} {
		require.Equal(t, armed, s.Armed(starts.Add(after), time.Hour), "%s after its start", after)
	}
	require.False(t, s.Armed(starts.Add(-time.Millisecond), 0))
	for state, armed := range map[State]bool{StateDraft: false, StatePreloaded: true, StateOpen: true, StatePaused: true,
		StateClosed: false, StateArchived: false} {
		s.State = state
		require.Equal(t, armed, s.Armed(starts, 0), state)
	}
}
