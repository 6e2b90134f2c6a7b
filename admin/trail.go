package admin

import (
	"context"
	"net/http"
	"strconv"

	"flashsale/sale"
)

// Trail is the record of who changed what. The store writes the entries of changes that were made; the API adds those that it
// refused.
type Trail interface {
	Trail(ctx context.Context, q sale.TrailQuery) (sale.TrailPage, error)
	Notes
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
		if err := q.Since.UnmarshalText([]byte(text)); err != nil || q.Since.UnixMilli() > sale.MaxCreatedMS {
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

// target names what the request is about, as the trail's targets do.
func (c *call) target(process string) string {
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
	case c.r.URL.Path == logLevelPath:
		return sale.TargetProcess(process)
	}
	return sale.TargetRules
}
