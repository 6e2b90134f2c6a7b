package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// smallStock sells a few units exactly, one to a buyer, as Redis would.
type smallStock struct {
	*fakeStock
	mu     sync.Mutex
	left   int64
	orders map[string]sale.OrderID
	next   sale.OrderID
}

func (s *smallStock) Reserve(p sale.Purchase) sale.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.orders[p.Buyer]; ok {
		return sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: 1, Bought: 1, OrderID: id}
	}
	if s.left == 0 {
		return sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "phone"}
	}
	s.left--
	s.next++
	s.orders[p.Buyer] = s.next
	s.fakeStock.set(func(f *fakeStock) {
		shelf := sale.Shelf{Bucket: p.Bucket, SKU: p.Lines[0].SKU}
		f.owners[shelf] = append(f.owners[shelf], p.Buyer)
		f.readings[shelf] = level{Epoch: 1, Available: s.left}
	})
	return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: s.next, CreatedAt: noon}
}

// giveBack returns a buyer's unit.
func (s *smallStock) giveBack(buyer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.orders, buyer)
	s.left++
	s.next++
	s.fakeStock.set(func(f *fakeStock) {
		f.readings[phone] = level{Epoch: 1, Available: s.left}
	})
}

// TestStorm runs a crowd of buyers with the real roles while units are returned. The gateway sells every unit, and an owner
// who buys again always gets already_bought, for any order of latch, filter and returned units.
func TestStorm(t *testing.T) {
	const buyers, units, presses = 60, 20, 40
	s := newScene(t).open(autumn())
	stock := &smallStock{fakeStock: s.stock, left: units, orders: map[string]sale.OrderID{}}
	s.gateway.stock, s.gateway.latchWatcher.stock, s.gateway.latchWatcher.levels = stock, stock, stock
	s.run()

	var taken, refused atomic.Int64
	var crowd sync.WaitGroup
	faults := make(chan error, buyers)
	for i := range buyers {
		crowd.Go(func() {
			faults <- s.pressAgainAndAgain(fmt.Sprintf("buyer-%d", i), presses, &taken, &refused)
		})
	}
	for i := range 5 {
		stock.giveBack(fmt.Sprintf("nobody-%d", i))
	}
	crowd.Wait()
	for range buyers {
		require.NoError(t, <-faults)
	}
	require.EqualValues(t, units+5, taken.Load()+stock.left, "every unit is sold or left")
	require.LessOrEqual(t, taken.Load(), int64(units+5))
	require.Positive(t, refused.Load())
	require.Zero(t, s.gateway.inFlight.Load())
}

// pressAgainAndAgain presses on one connection. From the first 202 on, every answer must be already_bought.
func (s *scene) pressAgainAndAgain(buyer string, presses int, taken, refused *atomic.Int64) error {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	request := "POST " + phoneOrders + " HTTP/1.1\r\nHost: shop\r\n" + bearer(buyer) + "\r\nContent-Length: 0\r\n\r\n"
	owner := false
	for range presses {
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		r := s.read(reader, "POST")
		switch code := r.members(s.t)["code"]; {
		case r.status == 202 && !owner:
			owner = true
			taken.Add(1)
		case code == "already_bought" && owner:
		case code == "sold_out" && !owner:
			refused.Add(1)
		default:
			return fmt.Errorf("%s, owner %v, was answered %d %v", buyer, owner, r.status, code)
		}
	}
	return nil
}

// TestManyGatewaysInOneProcess: nothing of a gateway is shared but Sentinel's rules.
func TestManyGatewaysInOneProcess(t *testing.T) {
	first, second := newScene(t).open(autumn()), newScene(t).open(autumn())
	latchOf(first, "owner")
	first.refused(first.press("ann", ""), sale.OutcomeSoldOut, soldOutPhone)
	require.Equal(t, 202, second.press("ann", "").status)
	require.EqualValues(t, 1, first.counted(sale.OutcomeSoldOut))
	require.Zero(t, second.counted(sale.OutcomeSoldOut))
}
