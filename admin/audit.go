package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"flashsale/sale"
)

// auditPause is how long an audit waits before it reads buckets again that were being rebuilt.
const auditPause = 50 * time.Millisecond

// AuditAnswer is the stock equation of every SKU of one sale or of several.
type AuditAnswer struct {
	Holds bool        `json:"holds"`
	Items []AuditItem `json:"items"`
}

// AuditItem is the stock equation of one SKU.
type AuditItem struct {
	Sale string `json:"sale"`
	SKU  string `json:"sku"`
	sale.Stock
	Difference int64 `json:"difference"` // units missing, negative for units too many
}

// audit answers 200 whether or not the books hold: the question was answered. Where the numbers cannot be had, or do not
// belong together because a bucket is being rebuilt, it answers 503.
func (a *API) audit(c *call) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	s, err := a.askedSale(ctx, c)
	if err != nil {
		return err
	}
	groups, err := a.coherentPositions(ctx, &s)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, auditOf(s.ID, groups))
}

// coherentPositions reads until every bucket's numbers belong together, for AuditWait at most.
func (a *API) coherentPositions(ctx context.Context, s *sale.Sale) ([]skuPositions, error) {
	deadline := time.NewTimer(a.opts.AuditWait)
	defer deadline.Stop()
	for {
		positions, err := readPositions(ctx, a.deps.Preloads, a.deps.Stock, s.ID)
		if err != nil {
			return nil, err
		}
		groups := bySKU(s, positions)
		doubtful := firstDoubtful(groups)
		if doubtful == nil {
			return groups, nil
		}
		select {
		case <-deadline.C:
			return nil, sale.ProblemOf(sale.OutcomeUnavailable, fmt.Sprintf(
				"bucket %s is %s in epoch %d and Redis does not agree yet", doubtful.Bucket, doubtful.State, doubtful.Epoch))
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(auditPause):
		}
	}
}

func firstDoubtful(groups []skuPositions) *position {
	for i := range groups {
		for j := range groups[i].buckets {
			if p := &groups[i].buckets[j]; !p.Coherent {
				return p
			}
		}
	}
	return nil
}

func auditOf(saleID string, groups []skuPositions) AuditAnswer {
	answer := AuditAnswer{Holds: true, Items: []AuditItem{}}
	for i := range groups {
		total := groups[i].total()
		answer.Items = append(answer.Items, AuditItem{Sale: saleID, SKU: groups[i].sku, Stock: total, Difference: total.Difference()})
		answer.Holds = answer.Holds && total.Holds()
	}
	return answer
}
