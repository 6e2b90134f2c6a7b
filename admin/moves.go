package admin

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"

	"flashsale/faults"
	"flashsale/lease"
	"flashsale/sale"
)

// move is one step of a sale's life that changes its state alone.
type move struct {
	verb string
	to   sale.State
	from []sale.State
}

var (
	moveOpen   = move{"open", sale.StateOpen, []sale.State{sale.StatePreloaded}}
	movePause  = move{"pause", sale.StatePaused, []sale.State{sale.StateOpen}}
	moveResume = move{"resume", sale.StateOpen, []sale.State{sale.StatePaused}}
	moveClose  = move{"close", sale.StateClosed, []sale.State{sale.StatePreloaded, sale.StateOpen, sale.StatePaused}}
)

// allows refuses a move that the state forbids; a repeated move is allowed and changes nothing.
func (m move) allows(state sale.State) error {
	if state == m.to || slices.Contains(m.from, state) {
		return nil
	}
	detail := fmt.Sprintf("%s is not possible: the sale is %s", m.verb, state)
	return &sale.StateError{State: state, Detail: detail + "; " + nextStep(m.verb, state)}
}

// nextStep names the step that an operator takes instead of a refused move.
func nextStep(verb string, state sale.State) string {
	switch {
	case state == sale.StateArchived:
		return "an archived sale does not change"
	case state == sale.StateClosed:
		return "a closed sale stays closed"
	case verb == movePause.verb || verb == moveClose.verb:
		return "it is not open yet"
	case state == sale.StateDraft:
		return "preload first"
	case state == sale.StatePaused:
		return "use resume instead"
	}
	return "open first" // resume of a sale that was only preloaded
}

func (a *API) pause(c *call) error     { return a.stateFirst(c, movePause) }
func (a *API) resume(c *call) error    { return a.stateFirst(c, moveResume) }
func (a *API) closeSale(c *call) error { return a.stateFirst(c, moveClose) }

// stateFirst changes the state in the database before it waits for the lease. Gateways read the state there, so a sale
// stops selling even while it is being preloaded. Under the lease Redis then gets the sale as the database has it at
// that moment.
func (a *API) stateFirst(c *call, m move) error {
	return a.moveSale(c, m, func(ctx context.Context, id string) (s sale.Sale, err error) {
		if err = a.moveState(ctx, id, m); err != nil {
			return s, err
		}
		err = a.underLease(ctx, id, func(ctx context.Context) error {
			if s, err = a.deps.Sales.Sale(ctx, id); err != nil {
				return err
			}
			return a.carryWindow(ctx, &s)
		})
		return s, err
	})
}

// underLease runs one step of a sale while no other step of that sale runs in any process. It waits up to LeaseWait for
// the lease and then returns sale.ErrLeaseHeld. The step's context ends when the lease is lost. Every step is an owner
// of its own, so two steps in one process exclude each other too.
func (a *API) underLease(ctx context.Context, saleID string, step func(context.Context) error) error {
	of := lease.Lease{
		Leases: a.deps.Preloads, Name: lease.Sale(saleID), Owner: "admin-" + rand.Text(), Wait: a.opts.LeaseWait,
		Log: a.opts.Logger,
	}
	return of.Do(ctx, step)
}

func (a *API) moveState(ctx context.Context, id string, m move) error {
	_, err := a.deps.Sales.SetState(ctx, id, m.to, m.from...)
	faults.Point("admin.state-moved")
	return err
}

// open makes sure that Redis has the list of buyers before any gateway may sell. From then on the list is fixed; a list
// that was replaced meanwhile is loaded as well.
func (a *API) open(c *call) error {
	return a.moveSale(c, moveOpen, func(ctx context.Context, id string) (s sale.Sale, err error) {
		err = a.underLease(ctx, id, func(ctx context.Context) error {
			if s, err = a.deps.Sales.Sale(ctx, id); err != nil {
				return err
			}
			if err = moveOpen.allows(s.State); err != nil {
				return err
			}
			if err = buyersListed(&s); err != nil {
				return err
			}
			if err = a.ensureList(ctx, &s); err != nil {
				return err
			}
			if s, err = a.deps.Sales.SetState(ctx, id, moveOpen.to, moveOpen.from...); err != nil {
				return err
			}
			if err = a.ensureList(ctx, &s); err != nil {
				return err
			}
			return a.carryWindow(ctx, &s)
		})
		return s, err
	})
}

// buyersListed refuses to open a listed sale without buyers: its list could never be changed afterwards.
func buyersListed(s *sale.Sale) error {
	if s.State != moveOpen.to && s.Eligibility == sale.EligibilityList && s.ListSize == 0 {
		return &sale.StateError{State: s.State,
			Detail: `open is not possible: the sale has "eligibility":"list" and no list; run sale buyers first`}
	}
	return nil
}

// moveSale refuses a wrong move at once, before it waits, and answers with the sale.
func (a *API) moveSale(c *call, m move, run func(ctx context.Context, id string) (sale.Sale, error)) error {
	ctx, cancel := a.moving(c)
	defer cancel()
	before, err := a.askedSale(ctx, c)
	if err != nil {
		return err
	}
	if err := m.allows(before.State); err != nil {
		return err
	}
	after, err := run(ctx, before.ID)
	if err != nil {
		return err
	}
	a.awaitGateways(ctx, before.ID)
	a.opts.Logger.Info("sale moved", "sale", before.ID, "verb", m.verb, "was", before.State, "state", after.State)
	return c.answer(http.StatusOK, after)
}

// carryWindow writes a sale's state, times and sale limit into every bucket that Redis has. A draft has no buckets. When it
// has returned, the scripts decide by the new window.
func (a *API) carryWindow(ctx context.Context, s *sale.Sale) error {
	if s.State == sale.StateDraft {
		return nil
	}
	if err := a.deps.Stock.ApplyWindow(ctx, s.BucketNames(), sale.WindowOf(s)); err != nil {
		return fmt.Errorf("carry the window of sale %s into Redis: %w", s.ID, err)
	}
	faults.Point("admin.window-carried")
	return nil
}
