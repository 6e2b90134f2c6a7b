package adminclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"flashsale/sale"
)

// TrailQuery selects entries of the trail. Empty members select all.
type TrailQuery struct {
	Sale   string
	Since  string // RFC 3339
	Order  string // newest or chain
	Cursor string // next of the page before
	Limit  int    // 1 to 1000; 0: 100
}

// TrailPage is an answer of Trail.
type TrailPage struct {
	Entries []sale.TrailEntry `json:"entries"`
	Next    string            `json:"next"` // cursor of the next page, empty on the last one
	Head    sale.TrailHead    `json:"head"`
}

// Trail reads a page of the trail.
func (c *Client) Trail(ctx context.Context, q TrailQuery) ([]byte, error) {
	values := url.Values{}
	for name, value := range map[string]string{"sale": q.Sale, "since": q.Since, "order": q.Order, "cursor": q.Cursor} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	return c.quick(ctx, http.MethodGet, "/admin/v1/trail?"+values.Encode(), nil)
}

// ReadTrail decodes an answer of Trail.
func ReadTrail(answer []byte) (page TrailPage, err error) {
	if err = json.Unmarshal(answer, &page); err != nil {
		return page, fmt.Errorf("%w: the trail: %w", ErrUnreadable, err)
	}
	return page, nil
}

const longestTrailPage = 1000

// VerifyTrail reads the whole chain, from its end back, and recomputes every hash. The error wraps sale.ErrTrailBroken when an
// entry was changed, added or removed.
func (c *Client) VerifyTrail(ctx context.Context) (check sale.TrailCheck, err error) {
	query := TrailQuery{Order: "chain", Limit: longestTrailPage}
	for {
		answer, err := c.Trail(ctx, query)
		if err != nil {
			return check, err
		}
		page, err := ReadTrail(answer)
		if err != nil {
			return check, err
		}
		if query.Cursor == "" {
			check.Head = page.Head
		}
		for i := range page.Entries {
			if err := check.Feed(page.Entries[i]); err != nil {
				return check, err
			}
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return check, check.End()
		}
	}
}
