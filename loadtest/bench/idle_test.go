package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	idleFor    = 10 * time.Second
	idleTarget = 0.5 // % of a core
)

// idle measures an engine without requests that has one open sale of ten thousand SKUs.
func idle(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	s.preloadMany("wide", manySKUs)
	s.finish("wide")
	figures := []*Figure{
		{Name: fmt.Sprintf("idle with one sale of %d SKUs: gateway", manySKUs), Unit: "% of a core", Target: idleTarget},
		{Name: "  Redis", Unit: "% of a core", Target: idleTarget},
		{Name: "  settle", Unit: "% of a core"},
		{Name: "  MariaDB", Unit: "% of a core"},
	}
	for range repetitions {
		meter, err := StartMeter(s.gateway.PID(), s.Redis[0].PID(), s.settle.PID(), s.MariaDB.PID())
		require.NoError(b, err)
		<-time.After(idleFor)
		used, took, err := meter.Stop()
		require.NoError(b, err)
		for i, f := range figures {
			f.Ours = append(f.Ours, 100*used[i].Seconds()/took.Seconds())
		}
	}
	return figures
}
