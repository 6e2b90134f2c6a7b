package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
)

const (
	manySKUs      = 200
	manyUnits     = 40 // of each SKU at first
	manyBuyers    = 6_000
	manyRepeats   = 2_000
	manySaleLimit = 6
	manySeed      = 21
)

// market is a sale of many SKUs whose operator changes the stock while it sells.
type market struct {
	*stack
	definition
	random  *rand.Rand
	loaded  map[string]int64 // by the answers to the operator
	changes []check.StockChange
}

// newMarket defines 200 SKUs in four buckets with limits of 1 to 5 units of a SKU and of six in all.
func newMarket(s *stack) *market {
	m := &market{stack: s, definition: lasting(), random: rand.New(rand.NewPCG(manySeed, 2)), loaded: map[string]int64{}}
	m.PerBuyerLimit, m.SaleLimit, m.Buckets = 2, manySaleLimit, 4
	for n := range manySKUs {
		item := stockItem{SKU: fmt.Sprintf("Sku-%03d", n), Stock: manyUnits, PriceCents: 100 + n}
		if limit := n % 6; limit > 0 { // the others have the sale's
			item.PerBuyerLimit = &limit
		}
		m.Items = append(m.Items, item)
		m.loaded[item.SKU] = manyUnits
	}
	return m
}

// sale is what package check has to know of the definition.
func (m *market) sale() check.Sale {
	of := check.Sale{Limit: m.PerBuyerLimit, SaleLimit: m.SaleLimit, Limits: map[string]int{}, Loaded: m.loaded,
		Demand: map[string]bool{}}
	for _, item := range m.Items {
		of.Demand[item.SKU] = true
		if item.PerBuyerLimit != nil {
			of.Limits[item.SKU] = *item.PerBuyerLimit
		}
	}
	return of
}

func (m *market) skus() (all []string) {
	for _, item := range m.Items {
		all = append(all, item.SKU)
	}
	return all
}

// restocks changes the stock until stop is closed: mostly of one SKU, now and then of several by a definition.
func (m *market) restocks(stop <-chan struct{}) {
	m.t.Helper()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		if n%10 == 9 {
			m.redefine()
		} else {
			m.restockOne("change " + strconv.Itoa(n))
		}
	}
}

// restockOne adds or takes back some units of a SKU, and repeats every third request.
func (m *market) restockOne(key string) {
	item := m.Items[m.random.IntN(len(m.Items))]
	add := 1 + m.random.IntN(6)
	if m.random.IntN(2) == 0 {
		add = -add
	}
	from := time.Now().UnixMicro()
	answer := m.change("rush", item.SKU, key, add)
	if !assert.Equal(m.t, http.StatusOK, answer.status, "%s", answer.body) {
		return
	}
	if m.random.IntN(3) == 0 {
		again := m.change("rush", item.SKU, key, add)
		assert.Equal(m.t, string(answer.body), string(again.body))
	}
	added := int64(answer.json(m.stack)["added"].(float64))
	if add > 0 {
		assert.EqualValues(m.t, add, added)
	} else {
		assert.LessOrEqual(m.t, int64(add), added)
		assert.LessOrEqual(m.t, added, int64(0))
	}
	m.note(item.SKU, added, from)
}

// redefine puts the definition with another stock of three SKUs.
func (m *market) redefine() {
	d := m.definition
	d.Items = append([]stockItem{}, m.Items...)
	for i := range d.Items {
		d.Items[i].Stock = int(m.loaded[d.Items[i].SKU])
	}
	for range 3 {
		item := &d.Items[m.random.IntN(len(d.Items))]
		item.Stock = max(0, item.Stock+m.random.IntN(13)-6)
	}
	from := time.Now().UnixMicro()
	answer := m.stack.operate("PUT", "/admin/v1/sales/rush", d)
	if !assert.Equal(m.t, http.StatusOK, answer.status, "%s", answer.body) {
		return
	}
	for _, shown := range answer.json(m.stack)["items"].([]any) {
		item := shown.(object)
		sku := item["sku"].(string)
		m.note(sku, int64(item["stock"].(float64))-m.loaded[sku], from)
	}
}

// note keeps a change that began at a moment and is answered.
func (m *market) note(sku string, units, from int64) {
	if units == 0 {
		return
	}
	m.loaded[sku] += units
	m.changes = append(m.changes, check.StockChange{Sale: "rush", SKU: sku, Units: units, FromUS: from,
		ToUS: time.Now().UnixMicro()})
}

// fencedAfter returns the purchases that were answered fenced, other than at the second gateway before a moment: while it
// starts it does not know the buckets.
func (c *crowd) fencedAfter(ready time.Time) (found []history.Op) {
	for _, op := range c.purchases() {
		if op.Code == "fenced" && (op.Gateway != 1 || op.Sent().After(ready)) {
			found = append(found, op)
		}
	}
	return found
}

// TestRushOfManySKUs: purchases of one to three lines of 200 SKUs, under limits of each SKU and of the sale, while the
// operator raises and takes back stock and a gateway is killed. Every answer is judged, no bucket is fenced, and in the end,
// with demand for everything, no bucket has a unit of any SKU left.
func TestRushOfManySKUs(t *testing.T) {
	s := newStack(t, servers{Env: []string{"FLASHSALE_RESERVE_RELAY_DEADLINE=500ms"}}).run(2, 2)
	m := newMarket(s)
	s.open("rush", m.definition)
	unfenced := s.watchFences("rush")
	c := newCrowd(s, "rush", manyBuyers)
	var back time.Time
	c.OnTaken(1_000, func() {
		s.Gateways[1].Kill()
		s.Gateways[1].Restart()
		s.Gateways[1].Ready()
		back = time.Now()
	})
	rush := buyers.Rush{Sale: "rush", SKUs: m.skus(), Buyers: manyBuyers, Repeats: manyRepeats,
		Quantity: func(random *rand.Rand) int { return 1 + random.IntN(2) },
		Lines:    func(random *rand.Rand) int { return 1 + random.IntN(3) }}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		m.restocks(stop)
	}()
	c.rush(rush.Presses(manySeed, len(c.Gateways)))
	close(stop)
	<-stopped
	pressed := c.codes()
	t.Logf("%d changes of the stock; answers: %v", len(m.changes), pressed)
	for _, word := range []string{"queued", "already_bought", "over_limit", "no answer"} {
		assert.Positive(t, pressed[word], word)
	}
	c.Demand(buyers.Target{Sale: "rush", SKUs: m.skus()}, manySeed)
	t.Log("with demand for everything:", c.codes())

	e := c.judged(m.sale(), m.changes)
	units := int64(0)
	for _, loaded := range m.loaded {
		units += loaded
	}
	s.emptyBuckets("rush", int(units))
	unfenced()
	require.Empty(t, c.fencedAfter(back))
	several := 0
	for i := range e.Rows {
		if len(e.Rows[i].Lines) > 1 {
			several++
		}
	}
	require.Greater(t, several, len(e.Rows)/10, "orders of several lines")
	linear := check.Linearizable(e)
	require.Empty(t, linear.Faults)
	t.Logf("%d windows of %d operations are linearizable, %d undecided", linear.Passed, linear.Operations, linear.Undecided)
}
