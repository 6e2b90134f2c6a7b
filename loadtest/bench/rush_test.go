package bench

import (
	"fmt"
	"os"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	rushUnits  = 100_000
	rushBuyers = 200_000 // each presses once
)

// rush measures a whole sale: twice as many buyers as units, from the first press to the last order row.
func (s *stack) rush() []*Figure {
	s.warm("rush")
	s.setRules()
	name := fmt.Sprintf("%d units, %d buyers press once", rushUnits, rushBuyers)
	took := &Figure{Name: name + ": first request to last order row", Unit: "s", Target: 6}
	ours := &Figure{Name: "  CPU of gateway and settle", Unit: "s", Target: 4}
	answered := &Figure{Name: "  last answer", Unit: "s"}
	parts := []*Figure{
		{Name: "  CPU of the gateway", Unit: "s"}, {Name: "  CPU of settle", Unit: "s"}, {Name: "  CPU of Redis", Unit: "s"},
		{Name: "  CPU of Kafka", Unit: "s"}, {Name: "  CPU of MariaDB", Unit: "s"}, {Name: "  CPU of the client", Unit: "s"},
	}
	for n := range repetitions {
		saleID := fmt.Sprint("crowded-", n)
		s.openSale(saleID, rushUnits)
		requests := s.presses(saleID, rushBuyers)
		s.drained()
		meter, err := StartMeter(s.gateway.PID(), s.settle.PID(), s.Redis[0].PID(), s.Kafka.PID(), s.MariaDB.PID(), os.Getpid())
		require.NoError(s.b, err)
		last := s.sellOut(requests)
		s.waitSettled(saleID, rushUnits)
		used, all, err := meter.Stop()
		require.NoError(s.b, err)
		took.Ours = append(took.Ours, all.Seconds())
		answered.Ours = append(answered.Ours, last.Seconds())
		ours.Ours = append(ours.Ours, (used[0] + used[1]).Seconds())
		for i, f := range parts {
			f.Ours = append(f.Ours, used[i].Seconds())
		}
	}
	return append([]*Figure{took, ours, answered}, parts...)
}

// sellOut lets every buyer press once; the first ones get the units. It returns when the last one was answered.
func (s *stack) sellOut(requests *Requests) time.Duration {
	s.b.Helper()
	driver, err := NewDriver(s.b.Context(), s.gateway.Listen, acceptConnection)
	require.NoError(s.b, err)
	defer driver.Close()
	began := time.Now()
	count, err := driver.Once(s.b.Context(), requests)
	require.NoError(s.b, err)
	require.Equal(s.b, map[int]int64{202: rushUnits, 409: rushBuyers - rushUnits}, count.ByStatus)
	return time.Since(began)
}
