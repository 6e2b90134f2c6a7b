package gateway

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// braked publishes a brake and takes it over.
func (s *scene) braked(b sale.Brake) {
	s.t.Helper()
	s.database.set(func(d *fakeDatabase) {
		d.version++
		d.pending.Version, d.pending.Brake = d.version, &b
	})
	s.pollCatalogue()
}

// accepted presses with new keys and returns how many presses were not refused; the others got 429 with Retry-After.
func (s *scene) accepted(presses int) (accepted int) {
	s.t.Helper()
	for range presses {
		switch answer := s.press("ann", ""); answer.status {
		case http.StatusAccepted:
			accepted++
		default:
			s.refused(answer, sale.OutcomeRateLimited, nil)
			require.NotEmpty(s.t, answer.header.Get("Retry-After"))
		}
	}
	return accepted
}

func TestABrakeSlowsPurchases(t *testing.T) {
	s := newScene(t).open(autumn())
	rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 100000}}})(s)
	s.braked(sale.Brake{Reason: sale.BrakeRows, PerSecond: 4, PerGateway: 2, Left: time.Minute})
	passed := s.accepted(40)
	require.GreaterOrEqual(t, passed, 1, "a brake never stops a sale")
	require.Less(t, passed, 20, "the brake is lower than the operators' rule")
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status, "look-ups are free")

	s.braked(sale.Brake{Reason: sale.BrakeRows, PerSecond: 200_000, PerGateway: 100_000, Left: time.Minute})
	require.Equal(t, 40, s.accepted(40), "the rate follows the brake")
	rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}})(s)
	require.Zero(t, s.accepted(3), "the operators' rule is lower than the brake")
	rules(sale.Rules{})(s)
	require.NotNil(t, s.gateway.purchases.ruled.Load(), "the operators' rules leave the brake on")

	s.braked(sale.Brake{})
	require.Equal(t, 40, s.accepted(40), "it has ended")
	require.Nil(t, s.gateway.purchases.ruled.Load(), "without rules Sentinel is not asked")
}

// A brake that is not renewed ends after an answer of the database, not while the database is away.
func TestABrakeRunsOut(t *testing.T) {
	s := newScene(t).open(autumn())
	s.braked(sale.Brake{Reason: sale.BrakeJournal, PerSecond: 1, PerGateway: 1, Left: time.Minute})
	s.gateway.brake.until = time.Now() // as if a minute had passed
	s.database.set(func(d *fakeDatabase) { d.failing = errAway })
	require.Error(t, s.gateway.pollCatalogue(context.Background()))
	require.Less(t, s.accepted(20), 10, "the database is away")
	s.database.set(func(d *fakeDatabase) { d.failing = nil })
	s.pollCatalogue()
	require.Equal(t, 20, s.accepted(20))
}

func TestWhatAGatewayNotesOfABrake(t *testing.T) {
	on := func(share int64, left time.Duration) *sale.Brake {
		return &sale.Brake{PerSecond: 10 * share, PerGateway: share, Left: left}
	}
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	var b brake
	for _, step := range []struct {
		what      string
		answer    *sale.Brake
		at        int
		changed   bool
		perSecond int64
	}{
		{"no change and no brake", nil, 0, false, 0},
		{"a brake that is off", &sale.Brake{}, 1, false, 0},
		{"it begins", on(7, 15*time.Second), 2, true, 7},
		{"no change", nil, 16, false, 7},
		{"it is renewed", on(7, 15*time.Second), 17, false, 7},
		{"the renewal counts", nil, 31, false, 7},
		{"another rate", on(3, 15*time.Second), 31, true, 3},
		{"it runs out", nil, 46, true, 0},
		{"it stays off", nil, 47, false, 0},
		{"it begins again", on(5, 15*time.Second), 48, true, 5},
		{"it ends", &sale.Brake{Reason: sale.BrakeRows}, 49, true, 0},
		{"one that ran out already", on(5, -time.Second), 50, false, 0},
		{"a share below 1", &sale.Brake{PerSecond: 1, Left: time.Second}, 51, true, 1},
		{"one that ran out ends the one before", on(5, -time.Second), 51, true, 0},
	} {
		require.Equal(t, step.changed, b.note(step.answer, at(step.at)), step.what)
		require.Equal(t, step.perSecond, b.perSecond, step.what)
	}
}

func TestABrakeStaysBesideTheRules(t *testing.T) {
	ofOperator := []sale.FlowRule{{Resource: sale.ResourceOrders, QPS: 5}, {Resource: sale.ResourcePurchase, QPS: 9}}
	set := sale.Rules{Version: 3, Flow: ofOperator}
	require.Equal(t, set, (&brake{}).over(set))
	merged := (&brake{perSecond: 4}).over(set)
	require.Equal(t, append(ofOperator[:2:2], sale.FlowRule{Resource: sale.ResourcePurchase, QPS: 4}), merged.Flow)
	require.Len(t, set.Flow, 2, "the operators' set is as it was")
}
