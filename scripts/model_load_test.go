package scripts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func (m *modelRun) newWindow() sale.Window {
	now := time.Now().UnixMilli()
	m.version += int64(m.random.IntN(3)) // sometimes the same version again
	states := []sale.State{
		sale.StateOpen, sale.StateOpen, sale.StateOpen, sale.StateOpen, sale.StateOpen, sale.StatePaused, sale.StatePreloaded,
		sale.StateClosed,
	}
	w := sale.Window{
		Version: m.version, State: states[m.random.IntN(len(states))], StartsMS: now - 1000, EndsMS: now + 3_600_000,
	}
	if m.one(3) && !m.mostlyReleases {
		w.Limit = 2 + m.random.IntN(20)
	}
	switch m.random.IntN(12) {
	case 0:
		w.StartsMS = now + 5 // opens during the run
	case 1:
		w.EndsMS = now + 5
	case 2:
		w.StartsMS = now + 1_000_000
	case 3:
		w.EndsMS = now - 1
	}
	return w
}

func (m *modelRun) window() {
	w := m.newWindow()
	got, err := m.script(WindowScript(), scriptCall{keys: []string{m.keys.Meta}, args: windowArgs(w)}).ToString()
	require.NoError(m.t, err)
	require.Equal(m.t, m.model.applyWindow(w), got)
	m.seen[got]++
}

func (m *modelRun) close() {
	epoch := m.model.epoch - int64(m.random.IntN(2))
	got, err := m.script(CloseScript(), scriptCall{keys: []string{m.keys.Meta}, args: []string{fmt.Sprint(epoch)}}).ToString()
	require.NoError(m.t, err)
	require.Equal(m.t, m.model.close(epoch), got)
	m.seen[got]++
}

// load loads a new epoch with some of the orders of the old one, or tries an epoch that is not new.
func (m *modelRun) load() {
	l := sale.Load{Stock: m.newStock(), Window: m.newWindow(), Outbox: m.random.Int64N(1000)}
	l.Bucket, l.Epoch = m.bucket, m.highest+1+m.random.Int64N(2)
	if m.one(4) {
		l.Epoch = max(m.model.epoch, 1)
	}
	for _, buyer := range slices.Sorted(maps.Keys(m.model.buyers)) {
		for _, e := range m.model.buyers[buyer] {
			o := sale.RecordOrder{OrderID: e.orderID, Lines: e.lines, Buyer: buyer, Key: e.key}
			if m.one(2) {
				l.Owners = append(l.Owners, o)
			} else if m.one(2) {
				l.Released = append(l.Released, o)
			}
		}
	}
	steps := m.redis.loadSteps(l)
	first, err := m.script(LoadScript(), steps.begin).ToString()
	require.NoError(m.t, err)
	if first != "done" {
		require.Equal(m.t, "older", first)
		require.False(m.t, m.model.load(l, 0, false))
		return
	}
	require.True(m.t, m.model.load(l, m.base(), m.model.realReplid != ""))
	calls := slices.Concat([]scriptCall{steps.begin}, steps.stock, steps.buyers, steps.stock)
	for _, call := range append(calls, steps.open, steps.open) {
		got, err := m.script(LoadScript(), call).ToString()
		require.NoError(m.t, err)
		require.Equal(m.t, "done", got)
	}
	m.model.base = m.base() // begin was sent twice
	m.highest = l.Epoch
	m.recent = nil
	m.seen["loaded"]++
}

// newStock is the stock of a load: all items but the last.
func (m *modelRun) newStock() (stock []sale.ShelfLoad) {
	for _, item := range catalogue[:len(catalogue)-1] {
		shelf := sale.ShelfLoad{SKU: item.SKU, Available: m.random.Int64N(200), Number: item.Number, Limit: 1 + m.random.IntN(5)}
		if m.one(3) || m.mostlyReleases && m.one(2) {
			shelf.Limit = 20 + m.random.IntN(20) // for buyers of many orders
		}
		stock = append(stock, shelf)
	}
	return stock
}

// base is the time of the last load by Redis's clock, for the model.
func (m *modelRun) base() int64 {
	text, err := m.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Hget().Key(m.keys.Meta).Field("base_ms").Build()
	}).AsInt64()
	require.NoError(m.t, err)
	return text
}
