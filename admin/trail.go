package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"flashsale/sale"
)

// Trail is the record of who changed what. The store writes the entries of changes that were made; the API adds those that it
// refused.
type Trail interface {
	Trail(ctx context.Context, q sale.TrailQuery) (sale.TrailPage, error)
	NoteRefused(ctx context.Context, change sale.Change, code string) error
}

// Bounds of a page of the trail.
const (
	trailPage    = 100
	trailLongest = 1000
)

// trailAnswer is a page of the trail. Next is the cursor of the following page, empty on the last one.
type trailAnswer struct {
	Entries []sale.TrailEntry `json:"entries"`
	Next    string            `json:"next,omitempty"`
	Head    sale.TrailHead    `json:"head"` // the end of the chain at the same moment
}

// getTrail answers with entries of the trail, newest first, or in the order of the chain.
func (a *API) getTrail(c *call) error {
	query, err := c.trailQuery()
	if err != nil {
		return err
	}
	ctx, cancel := a.reading(c)
	defer cancel()
	page, err := a.deps.Trail.Trail(ctx, query)
	if err != nil {
		return err
	}
	answer := trailAnswer{Entries: append([]sale.TrailEntry{}, page.Entries...), Head: page.Head}
	if page.More {
		last := page.Entries[len(page.Entries)-1]
		answer.Next = strconv.FormatInt(map[bool]int64{false: last.ID, true: last.Position}[query.Chain], 10)
	}
	return c.answer(http.StatusOK, answer)
}

// trailQuery reads ?sale=&since=&limit=&cursor=&order=. It reports every fault at once.
func (c *call) trailQuery() (sale.TrailQuery, error) {
	q := sale.TrailQuery{Limit: trailPage}
	values := c.r.URL.Query()
	var faults sale.FieldErrors
	if q.Sale = values.Get("sale"); q.Sale != "" && !sale.ValidID(q.Sale) {
		faults = append(faults, sale.Fieldf("sale", "must match %s", sale.FormOfID))
	}
	switch order := values.Get("order"); order {
	case "", "newest":
	case "chain":
		q.Chain = true
	default:
		faults = append(faults, sale.Fieldf("order", "must be newest or chain"))
	}
	if text := values.Get("since"); text != "" {
		if err := q.Since.UnmarshalText([]byte(text)); err != nil {
			faults = append(faults, sale.Fieldf("since", "must be a time of RFC 3339 such as 2026-11-11T10:00:00Z"))
		}
	}
	if text := values.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if q.Limit = limit; err != nil || limit < 1 || limit > trailLongest {
			faults = append(faults, sale.Fieldf("limit", "must be 1 to %d", trailLongest))
		}
	}
	if text := values.Get("cursor"); text != "" {
		before, err := strconv.ParseInt(text, 10, 64)
		if q.Before = before; err != nil || before < 1 {
			faults = append(faults, sale.Fieldf("cursor", "must be the next of an earlier answer"))
		}
	}
	if len(faults) > 0 {
		return q, faults
	}
	return q, nil
}

// noteLimit bounds the writing of a refusal.
const noteLimit = 2 * time.Second

// noteRefused writes into the trail that an operator's change was refused. It leaves out the shop's requests, which are refused
// as a matter of course, and answers that leave open what was changed.
func (a *API) noteRefused(c *call, route route, cause error) {
	if route.verb == "" || c.actor.Role == sale.RoleShop {
		return
	}
	problem, _ := problemOf(cause)
	if problem.Status >= http.StatusInternalServerError {
		return // whether the change was made is unknown; one that was made has its entry
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), noteLimit)
	defer cancel()
	change := sale.Change{Sale: c.r.PathValue("sale"), Verb: route.verb, Target: c.target()}
	if !sale.ValidID(change.Sale) {
		change.Sale = ""
	}
	if err := a.deps.Trail.NoteRefused(ctx, change, problem.Code); err != nil {
		a.opts.Logger.Warn("a refused change could not be written into the trail", "verb", route.verb, "target", change.Target,
			"outcome", problem.Code, "error", err)
	}
}

// target names what the request is about, as the trail's targets do.
func (c *call) target() string {
	id, sku, order, letter := c.r.PathValue("sale"), c.r.PathValue("sku"), c.r.PathValue("order_id"), c.r.PathValue("id")
	switch {
	case sku != "":
		return sale.TargetItem(id, sku)
	case id != "":
		return sale.TargetSale(id)
	case order != "":
		return "order/" + order
	case letter != "":
		return sale.TargetLetter(letter)
	}
	return sale.TargetRules
}
